/**
 * What a new run does when its session is busy: `interrupt` cuts the active runs and drops the
 * queued ones, `enqueue` waits its turn, `reject` is refused, `concurrent` starts beside the others.
 *
 * `interrupt` stops no run that the owner may not supersede: then it is refused, and stops nothing. Where the backend
 * answers at once, the runs are cut in the call; where it answers with promises, with its answer.
 */
export type WhenBusy = 'interrupt' | 'enqueue' | 'reject' | 'concurrent';

/** What a run does about those that are in its way. */
export interface BusyRule {
  /** It cuts the active ones, and drops the queued ones. */
  readonly takesOver: boolean;
  /** It waits behind them. */
  readonly waitsItsTurn: boolean;
  /** It is refused. */
  readonly isRefused: boolean;
  /** How it asks for its generation. */
  readonly mode: 'exclusive' | 'concurrent';
}

const RULES: Readonly<Record<WhenBusy, BusyRule>> = Object.freeze({
  interrupt: { takesOver: true, waitsItsTurn: false, isRefused: false, mode: 'exclusive' },
  enqueue: { takesOver: false, waitsItsTurn: true, isRefused: false, mode: 'exclusive' },
  reject: { takesOver: false, waitsItsTurn: false, isRefused: true, mode: 'exclusive' },
  concurrent: { takesOver: false, waitsItsTurn: false, isRefused: false, mode: 'concurrent' },
});

export const WHEN_BUSY: readonly WhenBusy[] = Object.freeze(Object.keys(RULES) as WhenBusy[]);

export function busyRule({ whenBusy }: { readonly whenBusy: WhenBusy }): BusyRule {
  return RULES[whenBusy];
}
