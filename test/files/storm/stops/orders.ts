import type { AbortOptions, BeginResult, RunOptions, Selector } from 'runfence';

/** What a process of the storm is told to do. */
export type Order =
  | {
      readonly order: 'begin';
      readonly session: string;
      readonly runId: string;
      readonly options: Partial<RunOptions>;
      /** It completes by itself. */
      readonly completeAfterMs?: number | undefined;
      /** For how long its work goes on after its signal. */
      readonly unwindMs: number;
      /** How long its epilogue takes. */
      readonly saveMs: number;
    }
  | { readonly order: 'commit'; readonly session: string; readonly runId: string }
  | {
      readonly order: 'stop';
      readonly id: string;
      readonly selector: Selector | 'all';
      readonly options: AbortOptions;
    }
  | { readonly order: 'wait'; readonly runId: string; readonly ms: number }
  | { readonly order: 'saved'; readonly runId: string; readonly ms: number; readonly receipt?: string }
  | { readonly order: 'current'; readonly session: string }
  | { readonly order: 'state'; readonly runId: string }
  | { readonly order: 'complete'; readonly runId: string }
  | { readonly order: 'forget'; readonly runIds: readonly string[] }
  | { readonly order: 'busy'; readonly session: string };

export type Asked<Name extends Order['order']> = Extract<Order, { readonly order: Name }>;

export interface Answers {
  readonly begin: Began;
  readonly commit: { readonly token: number | undefined };
  readonly stop: Stopped;
  readonly wait: Ended;
  readonly saved: Saved;
  readonly current: Current;
  readonly state: RunState;
  readonly complete: { readonly isFirst: boolean };
  readonly forget: object;
  readonly busy: object;
}

/** Times are in ms, by the clock that all processes of the host share. */
export interface Began {
  readonly status: BeginResult['status'];
  readonly why: string | undefined;
  /** Of a duplicate: the first run. */
  readonly first: Ended | undefined;
  readonly calledAt: number;
  readonly at: number;
  readonly generation: number;
  readonly hasEpilogue?: boolean;
}

export interface Stopped {
  readonly id: string;
  readonly result: string;
  readonly runIds: readonly string[];
  readonly recorded: string;
  readonly calledAt: number;
  readonly at: number;
}

/** How a run ended, or what `wait` says instead. */
export interface Ended {
  readonly status: string;
  readonly reason?: string | undefined;
  /** False: its process could not ask the record. */
  readonly isConfirmed?: boolean;
}

/** What a report says of a run. */
export interface Saved {
  readonly state: string | undefined;
  readonly epilogue: string | undefined;
}

export interface Current {
  readonly runIds: readonly string[];
}

export type RunState =
  | { readonly isKnown: false }
  | {
      readonly isKnown: true;
      readonly isCurrent: boolean;
      readonly now: Ended;
      readonly firedAt: number | undefined;
      readonly sent: number;
      readonly lastSentAt: number;
      /** What was announced of its end, once. */
      readonly ended: Ended | undefined;
    };

/** A line of the file that all processes append to. */
export interface WriteLine {
  readonly session: string;
  readonly runId: string;
  readonly token: number;
  readonly what: 'epilogue' | 'commit';
  readonly pid: number;
  readonly grantedAt: number;
  readonly at: number;
}
