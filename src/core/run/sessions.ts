import type { RunView } from '../events.js';
import { readSessionKey, type SessionKey } from '../internal/session-key.js';
import { checkObject } from '../internal/validate.js';
import type { Ledger } from '../ledger/ledger.js';
import type { NodeContext } from '../node-context.js';
import { requesterOf } from '../principal.js';
import { READ, type ReadOptions, type RunRegistry } from './registry.js';
import { type SessionView, viewOfStored } from './view.js';

/** A session, as all nodes of the backend have it. */
export interface LoadedSession extends SessionView {
  /** Its runs that are running or stopping, of all nodes, and the queued ones of this node. */
  readonly runs: readonly RunView[];
}

/**
 * What all nodes of the backend have. `runs.session`, `runs.isActive`, `runs.list` and the events are of this process:
 * these ask the backend.
 */
export class Sessions {
  readonly #context: NodeContext;
  readonly #ledger: Ledger;
  readonly #runs: RunRegistry;

  /** @internal */
  constructor(context: NodeContext, ledger: Ledger, runs: RunRegistry) {
    this.#context = context;
    this.#ledger = ledger;
    this.#runs = runs;
  }

  /**
   * Which runs of a session are where in their life, on all nodes of the backend. By the time of the answer it may have
   * changed. Queued runs are known to their own node alone: those of this node are named.
   *
   * @param key - which session: its key, or the parts of its key
   * @param options - `requester`: who asks; what it may not read is left out
   * @returns the session; one that nobody knows has no runs
   * @throws `INVALID_OPTIONS`, `BACKEND_UNAVAILABLE`
   */
  async load(key: SessionKey, options: ReadOptions = {}): Promise<LoadedSession> {
    const sessionKey = readSessionKey('sessionKey', key);
    const requester = requesterOf(checkObject('read options', options, READ));
    const record = await this.#ledger.elsewhere.session(sessionKey);
    const own = this.#runs.session(sessionKey, options);
    const here = this.#runs.list(options).filter((run) => run.sessionKey === sessionKey);
    const others = (record?.runs ?? [])
      .filter((run) => run.nodeId !== this.#context.nodeId && this.#context.authority.may('read', requester, run))
      .map(viewOfStored);
    const ids = (status: string): string[] => others.filter((run) => run.status === status).map(({ runId }) => runId);
    const activeRunIds = [...own.activeRunIds, ...ids('running')];
    return {
      sessionKey,
      hasActiveRun: activeRunIds.length > 0,
      activeRunIds,
      stoppingRunIds: [...own.stoppingRunIds, ...ids('stopping')],
      queuedRunIds: own.queuedRunIds,
      runs: [...here, ...others],
    };
  }

  /**
   * The runs that are running or stopping on all nodes of the backend, and the queued ones of this node.
   *
   * @param options - `requester`: who asks; what it may not read is left out
   * @returns snapshots, for the host: they name the owners
   * @throws `INVALID_OPTIONS`, `BACKEND_UNAVAILABLE`
   */
  async active(options: ReadOptions = {}): Promise<RunView[]> {
    const requester = requesterOf(checkObject('read options', options, READ));
    const stored = await this.#ledger.elsewhere.active();
    const others = stored.filter(
      (run) => run.nodeId !== this.#context.nodeId && this.#context.authority.may('read', requester, run),
    );
    return [...this.#runs.list(options), ...others.map(viewOfStored)];
  }
}
