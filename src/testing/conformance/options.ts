import type { Backend } from '../../backend/index.js';
import type { Awaitable } from '../../index.js';

/** A store of its own for one scenario: it is empty, or random keys keep its things apart from those of others. */
export interface ConformanceStore {
  /** What another process needs to open the same store: a folder, an address. */
  readonly address: string;
  /** A backend on the store, as another process would make it. A backend in memory answers with the same one each time. */
  connect(): Awaitable<Backend>;
  /** How many things (files, keys, rows) the store has on behalf of its sessions now; given if `countsFootprint`. */
  footprint?(): Awaitable<number>;
  /** Ends the lease of a node of this store now, as if it stood still; given if `endsLeases`. */
  endLease?(nodeId: string): Awaitable<void>;
  /** Takes the store away, after all its backends were closed. */
  destroy(): Awaitable<void>;
}

/** A process with an IPC channel, as `fork` of `node:child_process` gives it. */
export interface ConformanceProcess {
  /** Sends it a message. */
  send(message: object, sent: (error: Error | null) => void): boolean;
  /** Sends it a signal. */
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): boolean;
  /** Hears what it sends. */
  on(event: 'message', listener: (message: unknown) => void): unknown;
  /** Hears how it ended. */
  once(event: 'exit', listener: (code: number | null, signal: string | null) => void): unknown;
}

/** A thread, as `Worker` of `node:worker_threads` is one. */
export interface ConformanceThread {
  /** Sends it a message. */
  postMessage(message: object): void;
  /** Ends it without a word. */
  terminate(): Promise<number>;
  /** Hears what it sends. */
  on(event: 'message', listener: (message: unknown) => void): unknown;
  /** Hears how it ended. */
  once(event: 'exit', listener: (code: number) => void): unknown;
  /** Hears what it died of. */
  once(event: 'error', listener: (error: Error) => void): unknown;
}

/** How other processes are started on a store. Each runs a script that calls `obeyConformance`. */
export interface ConformanceProcesses {
  /** Starts a process with an IPC channel that opens the store of this address. */
  spawn(address: string): ConformanceProcess;
  /** Starts a worker thread that opens it. */
  worker(address: string): ConformanceThread;
  /** For how long in ms a process may stand still before others take over from it: the length of its lease. */
  readonly staleMs: number;
  /** Within how long in ms the holder is replaced whose process was killed; 200 by default. A backend that cannot prove a death gives its lease. */
  readonly deadWithinMs?: number;
  /** True if a node closes by itself at its deadline, which `aliveUntil` says: it opens again only once it has renewed its lease. */
  readonly selfFences?: boolean;
}

/** Scenarios that only the backend's own tests can stage, since they reach into the store. */
export type StagedScenario =
  | 'pid-of-another'
  | 'server-restarts'
  | 'failover-loses-writes'
  | 'lease-not-renewed'
  | 'lease-is-its-owners'
  | 'connection-killed'
  | 'connection-half-open'
  | 'deleted-by-hand'
  | 'store-broken'
  | 'slow-release';

/** How a backend is put to the test. */
export interface ConformanceOptions {
  /** What the report calls the backend. */
  readonly name: string;
  /** Declares a test: `test` of vitest and jest, or of `node:test` with the order of its parameters changed. */
  readonly test: (name: string, body: () => Promise<void>, timeoutMs: number) => unknown;
  /** Called with what is to run once all tests are over: `afterAll`, `after`. */
  readonly afterAll: (body: () => void) => unknown;
  /** Called with the report's lines; `console.log` will do. */
  readonly print: (line: string) => void;
  /** Hears of a scenario that this backend cannot have, to show it as skipped. The report names it in any case. */
  readonly skip?: (name: string, reason: string) => unknown;
  /** Makes an empty store. */
  readonly open: () => Awaitable<ConformanceStore>;
  /** Makes a store in which the last number that this session drew is `last`. */
  readonly openAt?: (sessionKey: string, last: number) => Awaitable<ConformanceStore>;
  /** True if the store's numbers go on when it was closed by everybody and is connected to again. */
  readonly isDurable: boolean;
  /** True if stores have a `footprint`. */
  readonly countsFootprint?: boolean;
  /** True if stores have an `endLease`. Without it a process stands still in the scenarios that need one. */
  readonly endsLeases?: boolean;
  /** Left out if the backend's state is in one process; a text says where else the scenarios with several processes are run. */
  readonly processes?: ConformanceProcesses | string;
  /** Scenarios that the backend's own tests stage; a text says where else they are. */
  readonly staged?: Readonly<Partial<Record<StagedScenario, string | (() => Promise<void>)>>>;
  /** How long in ms what a backend promises may take before the suite gives it up; 15 000 by default. How soon it comes is no matter. */
  readonly patienceMs?: number;
  /** How much of the long scenarios runs; 1, the whole of them, by default. */
  readonly share?: number;
  /** Where random keys and moments come from; random by default, and printed. */
  readonly seed?: number;
}
