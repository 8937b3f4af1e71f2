import type { BackendClient } from '../../backend/client.js';
import type { Snapshot, StoredRun } from '../../backend/records.js';
import type { Awaitable } from '../../internal/awaitable.js';
import type { Elsewhere } from '../ledger.js';
import type { RunWatch } from './run-watch.js';

/** What other nodes have, asked of the backend. */
export class OtherNodes implements Elsewhere {
  readonly #client: BackendClient;
  readonly #watch: RunWatch;

  constructor(client: BackendClient, watch: RunWatch) {
    this.#client = client;
    this.#watch = watch;
  }

  find(runId: string, sessionKey: string | undefined): Awaitable<StoredRun | undefined> {
    return this.#client.readRun(runId, sessionKey, false);
  }

  session(sessionKey: string): Awaitable<Snapshot> {
    return this.#client.readSession(sessionKey, false);
  }

  active(): Awaitable<readonly StoredRun[]> {
    return this.#client.readActive();
  }

  watch(
    run: Pick<StoredRun, 'runId' | 'sessionKey' | 'generation'>,
    listener: (run: StoredRun | undefined) => void,
  ): () => void {
    return this.#watch.add(run, listener);
  }
}
