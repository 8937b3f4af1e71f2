import type { RunControl, RunView } from '../index.js';
import { ownerFor, wireKeyOf } from '../transport/index.js';
import type { Connection } from './connection.js';
import { Finished } from './finished.js';
import type { GatewayOptions } from './options.js';
import type { Subscription } from './subscription.js';

/** Hears what becomes of runs, and tells the connections. */
export class Hub {
  readonly #control: RunControl;
  readonly #options: GatewayOptions;
  readonly #removers: (() => void)[];
  readonly connections: Set<Connection> = new Set();
  readonly finished: Finished;
  /** Open connections, by who they are: whether somebody may read a run is asked once for all of them. */
  readonly #open = new Map<string, Set<Connection>>();
  readonly #subscriptions = new Map<string, Set<Subscription>>();
  /** Runs that have changed, by session and owner: who may read one of them need not be able to read the others. */
  #changed = new Map<string, Map<string, RunView>>();
  /** What is done when a queued run starts. */
  readonly #started = new Map<string, () => void>();

  constructor(control: RunControl, options: GatewayOptions) {
    this.#control = control;
    this.#options = options;
    this.finished = new Finished(control);
    const changed = ({ run }: { readonly run: RunView }): void => this.#change(run);
    this.#removers = [
      control.on('run:started', ({ run }) => {
        this.#begin(run.sessionKey, run.runId);
        this.#started.get(run.runId)?.();
        this.#change(run);
      }),
      control.on('queue:changed', ({ sessionKey, queuedRunIds }) => {
        for (const runId of queuedRunIds) {
          this.#begin(sessionKey, runId);
          const run = control.runs.get(runId);
          if (run !== undefined) this.#change(run);
        }
      }),
      control.on('run:aborted', changed),
      control.on('run:ended', ({ run }) => {
        this.finished.add(run.runId);
        this.#change(run);
      }),
      control.on('run:forgotten', ({ run }) => this.finished.forget(run.runId)),
      control.on('run:quiet', changed),
    ];
  }

  close(): void {
    for (const remove of this.#removers) remove();
  }

  /** @returns stops it; safe to repeat */
  whenStarted(runId: string, act: () => void): () => void {
    this.#started.set(runId, act);
    return () => {
      if (this.#started.get(runId) === act) this.#started.delete(runId);
    };
  }

  opened(connection: Connection): void {
    add(this.#open, connection.group, connection);
  }

  closed(connection: Connection): void {
    this.connections.delete(connection);
    remove(this.#open, connection.group, connection);
  }

  subscribed(subscription: Subscription): void {
    add(this.#subscriptions, subscription.sessionKey, subscription);
  }

  unsubscribed(subscription: Subscription): void {
    remove(this.#subscriptions, subscription.sessionKey, subscription);
  }

  #begin(sessionKey: string, runId: string): void {
    for (const subscription of this.#subscriptions.get(sessionKey) ?? []) subscription.follow(runId);
  }

  #change(run: RunView): void {
    if (this.#open.size === 0 || this.#options.hidden?.(run) === true) return;
    if (this.#changed.size === 0) queueMicrotask(() => this.#tell());
    const session = JSON.stringify([run.sessionKey, run.owner ?? null]);
    const runs = this.#changed.get(session);
    if (runs === undefined) this.#changed.set(session, new Map([[run.runId, run]]));
    else runs.set(run.runId, run);
  }

  /** By now every list shows it. */
  #tell(): void {
    const changed = [...this.#changed.values()];
    this.#changed = new Map();
    for (const runs of changed) {
      for (const group of [...this.#open.values()]) this.#tellGroup(group, [...runs.values()]);
    }
  }

  #tellGroup(group: ReadonlySet<Connection>, runs: readonly RunView[]): void {
    const [first] = group;
    const caller = first?.caller;
    if (caller === undefined) return;
    const { requester } = caller;
    const run = runs.find((one) => this.#control.may('read', one, { requester }));
    if (run === undefined) return;
    try {
      const key = wireKeyOf(this.#options, run.sessionKey);
      const payload = JSON.stringify({ key, ...ownerFor(caller, run.owner) });
      for (const connection of [...group]) connection.changed(payload);
    } catch (error) {
      // `keyOf` is the host's.
      this.#control.onError(error, run);
    }
  }
}

function add<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function remove<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key);
  if (set?.delete(value) === true && set.size === 0) sets.delete(key);
}
