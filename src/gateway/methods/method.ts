import type { z } from 'zod';
import type { Awaitable } from '../../index.js';
import type { Call } from '../context.js';
import { readParams } from '../frames.js';

/** A method, whatever it takes. */
export interface Method {
  /** A stop, or an answer to a question: it goes before what waits, and a full line does not hold it up. */
  readonly isUrgent: boolean;
  /** The session whose earlier frames it ends, if it is a stop. */
  readonly overtakes?: (params: unknown) => Overtaking | undefined;
  /** The session that it starts something in, by the client's key. */
  readonly startsIn?: (params: unknown) => string | undefined;
  /** Everything up to its first wait is done in the tick of the call. */
  readonly answer: (call: Call, params: unknown) => Awaitable<unknown>;
}

/** A stop that ends what came before it. */
export interface Overtaking {
  readonly key: string;
}

/** A method whose parameters a schema reads. */
export function method<P>(
  schema: z.ZodType<P>,
  answer: (call: Call, params: P) => Awaitable<unknown>,
  more: {
    readonly isUrgent?: boolean;
    readonly overtakes?: (params: P) => Overtaking | undefined;
    readonly startsIn?: (params: P) => string;
  } = {},
): Method {
  const { overtakes, startsIn, isUrgent = false } = more;
  const read = (params: unknown): P | undefined => {
    const parsed = schema.safeParse(params);
    return parsed.success ? parsed.data : undefined;
  };
  return {
    isUrgent,
    answer: (call, params) => answer(call, readParams(schema, params)),
    ...(overtakes === undefined ? {} : { overtakes: lifted(read, overtakes) }),
    ...(startsIn === undefined ? {} : { startsIn: lifted(read, startsIn) }),
  };
}

function lifted<P, R>(
  read: (params: unknown) => P | undefined,
  of: (params: P) => R,
): (params: unknown) => R | undefined {
  return (params) => {
    const known = read(params);
    return known === undefined ? undefined : of(known);
  };
}
