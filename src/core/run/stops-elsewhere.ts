import type { EntryIndex } from '../abort/entry-index.js';
import type { AbortRequest } from '../abort/request.js';
import type { StoredRun } from '../backend/records.js';
import { type Awaitable, chain, isThenable, settle } from '../internal/awaitable.js';
import type { Ledger } from '../ledger/ledger.js';
import type { NodeContext } from '../node-context.js';
import { matches } from '../stop/selector.js';
import { isLost } from './duplicates.js';
import { ManagedRun } from './managed-run.js';
import type { StopFindings } from './stop-findings.js';
import { UnsureRuns } from './unsure-runs.js';

const NO_RUNS: UnsureRuns = new UnsureRuns([]);

/** What one stop does about runs that are not of this node, or that nobody has seen yet. */
export class StopsElsewhere {
  readonly #runtime: NodeContext;
  readonly #ledger: Ledger;
  readonly #entries: EntryIndex;
  readonly #request: AbortRequest;
  readonly #findings: StopFindings;

  constructor(
    context: { readonly runtime: NodeContext; readonly ledger: Ledger; readonly entries: EntryIndex },
    request: AbortRequest,
    findings: StopFindings,
  ) {
    this.#runtime = context.runtime;
    this.#ledger = context.ledger;
    this.#entries = context.entries;
    this.#request = request;
    this.#findings = findings;
  }

  /** One that is unknown here, and one that was lost before this stop: its client may repeat it. */
  get mayComeAgain(): boolean {
    const { runId } = this.#request.selector;
    if (runId === undefined) return false;
    const known = this.#entries.get(runId);
    return (
      known === undefined || (known instanceof ManagedRun && isLost(known.reason) && !isLost(this.#request.reason))
    );
  }

  /**
   * An intent for a run of any session. One that is there is stopped, and nothing is kept. Looked for again afterwards:
   * what was granted before the intent was kept is found then, and what asks later is told of it.
   */
  intend(): Awaitable<unknown> {
    const { selector, requester, reason, detail } = this.#request;
    if (!this.mayComeAgain) return undefined;
    return chain(this.stopFound(), () => {
      if (this.#findings.hasAny) return undefined;
      return settle(
        () => this.#ledger.keepIntent({ selector, requester, reason, detail }),
        () => this.stopFound(),
        (error) => {
          this.#unreachable(error);
          return undefined;
        },
      );
    });
  }

  /** Of a principal: the runs of other nodes are read, each is authorised, and those are stopped by id. */
  stopFound(): Awaitable<unknown> {
    const { runId, sessionKey } = this.#request.selector;
    if (runId !== undefined && this.#entries.get(runId) !== undefined) return undefined;
    const { elsewhere } = this.#ledger;
    const look = (): Awaitable<readonly StoredRun[]> => {
      if (runId === undefined)
        return settleRuns(elsewhere.session(sessionKey as string), (record) => record?.runs ?? []);
      return settleRuns(elsewhere.find(runId, sessionKey), (run) => (run === undefined ? [] : [run]));
    };
    return settle(
      look,
      (runs) => this.#stop(runs),
      (error) => this.#unreachable(error),
    );
  }

  /**
   * By owner, kind, tag or all. The list reaches what begins, and what is not seen here; the records of the runs that are
   * seen are marked besides: only a record decides whether one that ends by itself just now was stopped.
   */
  stopEverywhere(): Awaitable<unknown> {
    const { selector, requester, reason, detail } = this.#request;
    return settle(
      () => this.#ledger.stopEverywhere({ selector, requester, reason, detail }),
      ({ runs }) => {
        const running = new Map<string, StoredRun[]>();
        for (const run of runs) {
          if (!matches(selector, { ...run, id: run.runId })) continue;
          if (!this.#runtime.authority.may('abort', requester, run)) this.#findings.forbidden = true;
          else if (run.status !== 'running') this.#findings.addElsewhere(run);
          else addTo(running, run);
        }
        const answers = [...running.values()].map((those) => this.#stopListed(those));
        return answers.some(isThenable) ? Promise.all(answers) : undefined;
      },
      (error) => {
        this.#findings.recorded = 'unreachable';
        this.#runtime.onError(error);
        return undefined;
      },
    );
  }

  /** The receipt waits for what is stopping there; only where nothing was stopped: otherwise the answer says enough. */
  noteStopping(): Awaitable<unknown> {
    const { selector } = this.#request;
    const { elsewhere, stopped, recorded } = this.#findings;
    if (elsewhere.length + stopped.length > 0 || recorded === 'unreachable') return undefined;
    return settle(
      () => this.#ledger.elsewhere.session(selector.sessionKey as string),
      (record) => {
        for (const run of record?.runs ?? []) {
          const isOther = run.nodeId !== this.#runtime.nodeId && matches(selector, { ...run, id: run.runId });
          if (isOther && run.status === 'stopping') this.#findings.addStopping(run);
        }
      },
      (error) => this.#runtime.onError(error, selector),
    );
  }

  #stop(runs: readonly StoredRun[]): Awaitable<unknown> {
    const { selector, requester, reason, detail } = this.#request;
    const running: StoredRun[] = [];
    for (const run of runs) {
      if (run.nodeId === this.#runtime.nodeId || !matches(selector, { ...run, id: run.runId })) continue;
      if (!this.#runtime.authority.may('abort', requester, run)) this.#findings.forbidden = true;
      else if (selector.generation !== undefined && selector.generation !== run.generation) this.#findings.stale = true;
      else if (run.status === 'running') running.push(run);
      else this.#findings.addOver(run);
    }
    const [first] = running;
    if (first === undefined) return undefined;
    const { sessionKey } = first;
    const items = running.map(itemOfStored);
    return settle(
      () =>
        this.#ledger.stop(
          { sessionKey, reason, detail, runs: items, select: undefined, record: undefined },
          (verdict) => {
            for (const found of verdict.runs) this.#findings.note(found, NO_RUNS);
          },
        ),
      () => {},
      (error) => {
        this.#findings.recorded = 'unreachable';
        this.#runtime.onError(error, { sessionKey, runId: soleRunOf(items) });
      },
    );
  }

  /** Runs of one session that a stop in the list concerns. Named are those that do not end by themselves. */
  #stopListed(runs: readonly StoredRun[]): Awaitable<unknown> {
    const { reason, detail } = this.#request;
    const { sessionKey } = runs[0] as StoredRun;
    const items = runs.map(itemOfStored);
    return settle(
      () =>
        this.#ledger.stop(
          { sessionKey, reason, detail, runs: items, select: undefined, record: undefined },
          (verdict) => {
            for (const { run } of verdict.runs) {
              // Its own node may have heard of the list before.
              if (run?.status === 'stopping' || run?.status === 'aborted') this.#findings.addElsewhere(run);
              else this.#findings.ended = true;
            }
          },
        ),
      () => {},
      (error) => {
        // The list has the stop all the same.
        for (const run of runs) this.#findings.addElsewhere(run);
        this.#runtime.onError(error, { sessionKey, runId: soleRunOf(items) });
      },
    );
  }

  #unreachable(error: unknown): void {
    this.#findings.recorded = 'unreachable';
    this.#runtime.onError(error, this.#request.selector);
  }
}

/** The run that an error is about, if it is one. */
export function soleRunOf(runs: readonly { readonly runId: string }[]): string | undefined {
  return runs.length === 1 ? runs[0]?.runId : undefined;
}

function itemOfStored({ runId, generation }: StoredRun): {
  readonly runId: string;
  readonly generation: number;
  readonly revoke: undefined;
  readonly hasEpilogue: false;
} {
  return { runId, generation, revoke: undefined, hasEpilogue: false };
}

function settleRuns<T>(value: Awaitable<T>, runs: (value: T) => readonly StoredRun[]): Awaitable<readonly StoredRun[]> {
  return isThenable(value) ? (value as PromiseLike<T>).then(runs) : runs(value);
}

function addTo(bySession: Map<string, StoredRun[]>, run: StoredRun): void {
  const others = bySession.get(run.sessionKey);
  if (others === undefined) bySession.set(run.sessionKey, [run]);
  else others.push(run);
}
