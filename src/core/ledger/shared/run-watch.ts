import type { BackendClient } from '../../backend/client.js';
import type { Snapshot, StoredRun } from '../../backend/records.js';
import { settle } from '../../internal/awaitable.js';
import type { Timer } from '../../internal/timers.js';
import type { NodeContext } from '../../node-context.js';

/** A watched run is looked at so often, in ms: the notice of its change may be lost. */
const LOOK_MS = 1_000;

type Listener = (run: StoredRun | undefined) => void;

interface Watched {
  readonly runId: string;
  readonly sessionKey: string;
  readonly generation: number;
  readonly listeners: Set<Listener>;
  isReading: boolean;
}

/** Runs of other nodes that somebody here waits for. */
export class RunWatch {
  readonly #context: NodeContext;
  readonly #client: BackendClient;
  readonly #watched = new Map<string, Watched>();
  readonly #watches: (sessionKey: string, by: number) => void;
  #timer: Timer | undefined = undefined;
  #isClosed = false;

  /** @param watches - told how many more or fewer are watched in a session */
  constructor(context: NodeContext, client: BackendClient, watches: (sessionKey: string, by: number) => void) {
    this.#context = context;
    this.#client = client;
    this.#watches = watches;
  }

  /** Listens, and then looks: a change between the caller's look and its listening is not missed. */
  add(
    { runId, sessionKey, generation }: Pick<StoredRun, 'runId' | 'sessionKey' | 'generation'>,
    listener: Listener,
  ): () => void {
    if (this.#isClosed) {
      listener(undefined);
      return () => {};
    }
    let watched = this.#watched.get(runId);
    if (watched === undefined || watched.generation !== generation) {
      watched = { runId, sessionKey, generation, listeners: new Set(), isReading: false };
      this.#watched.set(runId, watched);
    }
    const own = watched;
    own.listeners.add(listener);
    this.#watches(sessionKey, 1);
    this.#look(own);
    this.#lookAgain();
    return () => {
      if (!own.listeners.delete(listener)) return;
      this.#watches(sessionKey, -1);
      this.#tidy(own);
    };
  }

  /** A record was seen: what of its live runs is watched is told, and what is not live any more is read. */
  saw({ sessionKey, version, runs }: Snapshot): void {
    if (this.#watched.size === 0) return;
    for (const watched of [...this.#watched.values()]) {
      if (watched.sessionKey !== sessionKey || version < watched.generation) continue;
      const live = runs.find(({ runId, generation }) => runId === watched.runId && generation === watched.generation);
      if (live === undefined) this.#look(watched);
      else this.#tell(watched, live);
    }
  }

  /** Notices may have been missed. */
  lookAtAll(): void {
    for (const watched of [...this.#watched.values()]) this.#look(watched);
  }

  /** Nothing is heard of other nodes any more. */
  close(): void {
    this.#isClosed = true;
    this.#context.timers.cancel(this.#timer);
    for (const watched of [...this.#watched.values()]) this.#tell(watched, undefined);
  }

  #look(watched: Watched): void {
    if (watched.isReading) return;
    watched.isReading = true;
    const { runId, sessionKey } = watched;
    settle(
      () => this.#client.readRun(runId, sessionKey, true),
      (run) => {
        watched.isReading = false;
        this.#tell(watched, run?.generation === watched.generation ? run : undefined);
      },
      (error) => {
        watched.isReading = false;
        this.#context.onError(error, { sessionKey, runId });
      },
    );
  }

  #tell(watched: Watched, run: StoredRun | undefined): void {
    for (const listener of [...watched.listeners]) listener(run);
  }

  #tidy(watched: Watched): void {
    const { runId, listeners } = watched;
    if (listeners.size > 0) return;
    if (this.#watched.get(runId) === watched) this.#watched.delete(runId);
    if (this.#watched.size > 0) return;
    this.#context.timers.cancel(this.#timer);
    this.#timer = undefined;
  }

  #lookAgain(): void {
    if (this.#watched.size === 0) return;
    this.#timer ??= this.#context.timers.after(LOOK_MS, () => {
      this.#timer = undefined;
      this.lookAtAll();
      this.#lookAgain();
    });
  }
}
