import type { AbortOptions, AbortReason, RunView } from 'runfence';

/** The number of one of the eight invariants. */
export type Invariant = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

export interface Violation {
  readonly invariant: Invariant;
  readonly text: string;
}

/** What a run does that takes time. `handle`: a caller has it in hand, and calls its own code. */
export type Activity = 'work' | 'handle' | 'tool' | 'section' | 'epilogue';

/** What happened, in the words of the one who saw it. */
export type Happening =
  /** Events of a control. */
  | { readonly type: 'run:started' | 'run:ended' | 'run:quiet' | 'effect:fenced'; readonly run: RunView }
  | {
      readonly type: 'run:aborted';
      readonly run: RunView;
      readonly reason: AbortReason;
      readonly requester: AbortOptions['requester'];
      readonly supersededBy: string | undefined;
    }
  | {
      readonly type: 'lock:granted' | 'lock:released' | 'lock:lost';
      readonly nodeId: string;
      readonly sessionKey: string;
      readonly token: number;
      readonly runId: string | undefined;
    }
  /** The backend has freed a grant: the next one may be given. */
  | { readonly type: 'freed'; readonly sessionKey: string; readonly token: number }
  /** The run's signal was aborted. */
  | { readonly type: 'signal'; readonly nodeId: string; readonly runId: string }
  /** A call that stops has returned; which runs it cut on this node its receipt says later. */
  | { readonly type: 'stop'; readonly nodeId: string; runIds: readonly string[] }
  /** A fenced function or a gated one was called, or an item of a fenced source was delivered. */
  | { readonly type: 'effect'; readonly nodeId: string; readonly runId: string; readonly name: string }
  /** Something of the run that takes time: its work, a tool, a critical section, an epilogue. */
  | {
      readonly type: 'begun' | 'over';
      readonly what: Activity;
      readonly nodeId: string;
      readonly runId: string;
      readonly sessionKey: string;
      readonly token: number | undefined;
    }
  /** Somebody was told how the run ended. */
  | {
      readonly type: 'outcome';
      readonly nodeId: string;
      readonly runId: string;
      readonly status: string;
      readonly from: string;
    }
  /** Somebody has asked a node how a run of any node ended. */
  | {
      readonly type: 'told';
      readonly nodeId: string;
      readonly runId: string;
      readonly outcome: string;
      readonly from: string;
    }
  /** The backend has given a number for the first time. */
  | { readonly type: 'drawn'; readonly sessionKey: string; readonly number: number; readonly runId: string | undefined }
  /** The backend has let a run in. `beside`: who does not stand in its way. */
  | {
      readonly type: 'claimed';
      readonly nodeId: string;
      readonly sessionKey: string;
      readonly runId: string;
      readonly generation: number;
      readonly exclusive: boolean;
      readonly beside: readonly string[];
    }
  /** The backend has stopped a run because another node's claim replaces it. */
  | {
      readonly type: 'replaced';
      readonly runId: string;
      readonly generation: number;
      /** The other node, and its run. */
      readonly nodeId: string;
      readonly by: string;
    }
  /** The start was refused, or the backend failed it. */
  | { readonly type: 'refused'; readonly runId: string }
  /** A run was asked for, in this very tick. */
  | { readonly type: 'asked'; readonly nodeId: string; readonly runId: string }
  /** The record says for the first time how a generation ended. */
  | {
      readonly type: 'recorded';
      readonly nodeId: string;
      readonly runId: string;
      readonly generation: number;
      readonly outcome: string;
    }
  /** A stop has marked a run in the record. `by`: the node and the attempt of the stop. */
  | { readonly type: 'marked'; readonly nodeId: string; readonly runId: string; readonly by: string }
  /** The answer to a stop has reached the node that sent it. */
  | { readonly type: 'answered'; readonly nodeId: string; readonly attempt: number }
  /** A stop was acknowledged to the one who asked. `elsewhere`: the runs of other nodes that its receipt names. */
  | {
      readonly type: 'acknowledged';
      readonly requester: AbortOptions['requester'];
      readonly intent: boolean;
      readonly isListed: boolean;
      readonly recorded: string;
      readonly elsewhere: readonly string[];
    }
  /** A stop for all nodes was recorded: these runs were live then, and are what it is aimed at. */
  | { readonly type: 'listed'; readonly number: number; readonly aimedAt: readonly string[] }
  /** The run has an epilogue from now on. */
  | { readonly type: 'announced'; readonly nodeId: string; readonly runId: string }
  /** What `onError` of a node was told. */
  | {
      readonly type: 'error';
      readonly nodeId: string;
      readonly code: string;
      readonly sessionKey: string | undefined;
      readonly runId: string | undefined;
    };

export type Fact = Happening & {
  /** By the monotonic clock, in ms. */
  readonly time: number;
};

type Of<T, F = Fact> = F extends { readonly type: infer U } ? (Extract<T, U> extends never ? never : F) : never;

/** All that was seen, in order. The checks are functions of it, so that a wrong one can be written down. */
export class History {
  readonly facts: Fact[] = [];
  /** What was seen wrong on the spot, such as a projection that lags behind its event. */
  readonly seenWrong: Violation[] = [];
  readonly #now: () => number;

  constructor(now: () => number = () => 0) {
    this.#now = now;
  }

  add<H extends Happening>(happening: H): H & { readonly time: number } {
    const fact = Object.assign(happening, { time: this.#now() });
    this.facts.push(fact as Fact);
    return fact;
  }

  wrong(invariant: Invariant, text: string): void {
    this.seenWrong.push({ invariant, text });
  }

  all<T extends Fact['type']>(...types: readonly T[]): Of<T>[] {
    return this.facts.filter((fact): fact is Of<T> => (types as readonly string[]).includes(fact.type));
  }

  /** Where in the order of things it happened. */
  at(fact: Fact): number {
    return this.facts.indexOf(fact);
  }
}

/** A retry of a run may be reserved on another node under the same id, and is another run: a run is its node and its id. */
export function runKey({ nodeId, runId }: { readonly nodeId: string; readonly runId: string | undefined }): string {
  return `${nodeId} ${runId}`;
}

export function groups<K, V>(items: readonly V[], keyOf: (item: V) => K): Map<K, V[]> {
  const all = new Map<K, V[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = all.get(key);
    if (group === undefined) all.set(key, [item]);
    else group.push(item);
  }
  return all;
}

/** One generation of a run. */
export function generationKey(run: {
  readonly nodeId: string;
  readonly runId: string;
  readonly generation: number;
}): string {
  return `${run.generation} ${runKey(run)}`;
}
