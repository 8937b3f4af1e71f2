import { type Backend, createRunControl, memory, type RunControl, type StopAnswer, type StopRequest } from 'runfence';
import { FakeClock, FaultyBackend, type FaultyBackendOptions, type RandomFaults } from 'runfence/testing';
import { Invariants } from '../invariants.js';

/** One control, and the way to its backend. */
export interface Node {
  readonly control: RunControl;
  readonly backend: AskedBackend;
  /** What its `onError` was told. */
  readonly errors: unknown[];
}

/** Remembers what its node has asked it to forget, whether it heard or not, and what it has told its node. */
export class AskedBackend extends FaultyBackend {
  readonly forgotten: Set<string> = new Set();
  readonly toldStops: Set<number> = new Set();
  /** When its node was through with it, in ms. */
  closedAt: number | undefined;
  readonly #now: () => number;

  constructor(options: FaultyBackendOptions, now: () => number) {
    super(options);
    this.#now = now;
  }

  override close(): Promise<void> {
    this.closedAt = this.#now();
    return super.close();
  }

  override forget(what: Parameters<Backend['forget']>[0]): Promise<void> {
    this.forgotten.add('runId' in what ? `run ${what.runId}` : `stop ${what.stop}`);
    return super.forget(what);
  }

  override async stop(request: StopRequest): Promise<StopAnswer> {
    const answer = await super.stop(request);
    if (answer.number !== undefined) this.toldStops.add(answer.number);
    return answer;
  }
}

export interface Nodes {
  readonly nodes: readonly Node[];
  /** The state that they share, without faults. */
  readonly state: Backend;
  readonly clock: FakeClock;
  readonly watch: Invariants;
}

/** A release may have to be repeated until the backend takes it. */
const BACKEND_MS = 120_000;

/** Controls on one backend, each behind faults of its own, and watched. */
export function faultyNodes(count: number, seed: number, faults: Omit<RandomFaults, 'seed' | 'clock'>): Nodes {
  const clock = new FakeClock();
  const watch = new Invariants(clock, { backendMs: BACKEND_MS });
  const state = watch.record(memory());
  const nodes = Array.from({ length: count }, (_, at): Node => {
    const errors: unknown[] = [];
    const backend = new AskedBackend(
      {
        over: state,
        scope: 'cluster',
        faults: { ...faults, seed: seed * 31 + at, clock },
      },
      () => clock.monotonic(),
    );
    const control = createRunControl({ backend, clock, onError: (error) => errors.push(error) });
    watch.node(control);
    return { control, backend, errors };
  });
  return { nodes, state, clock, watch };
}
