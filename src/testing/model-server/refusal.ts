import type { ModelBody } from './transcript.js';

/** Why a request got 400. */
export interface ModelRefusal {
  /** The rule that it breaks, such as `calls-unanswered`. */
  readonly rule: string;
  /** What a provider says to it, word for word but for names and places. */
  readonly message: string;
  /** Where it breaks the rule: `messages[2].content`. */
  readonly param: string;
  /** Where that provider was heard saying so. */
  readonly cites: string;
}

/** A rule of a provider. */
export interface Rule {
  readonly name: string;
  readonly cites: string;
  /** What is wrong, and where; `undefined`: nothing. */
  check(body: ModelBody): Broken | undefined;
}

export interface Broken {
  readonly message: string;
  readonly param: string;
}

export function broken(message: string, param: string): Broken {
  return { message, param };
}
