import { type Backend, createRunControl, memory, type RunControl } from 'runfence';
import { FakeClock, FaultyBackend, type RandomFaults } from 'runfence/testing';
import { Invariants } from '../invariants.js';

/** One control, and the way to its backend. */
export interface Node {
  readonly control: RunControl;
  readonly backend: FaultyBackend;
}

export interface Nodes {
  readonly nodes: readonly Node[];
  /** The state that they share, without faults. */
  readonly state: Backend;
  readonly clock: FakeClock;
  readonly watch: Invariants;
  readonly errors: unknown[];
}

/** A release may have to be repeated until the backend takes it. */
const BACKEND_MS = 120_000;

/** Controls on one backend, each behind faults of its own, and watched. */
export function faultyNodes(count: number, seed: number, faults: Omit<RandomFaults, 'seed' | 'clock'>): Nodes {
  const clock = new FakeClock();
  const watch = new Invariants(clock, { backendMs: BACKEND_MS });
  const state = watch.record(memory());
  const errors: unknown[] = [];
  const nodes = Array.from({ length: count }, (_, at): Node => {
    const backend = new FaultyBackend({
      over: state,
      scope: 'cluster',
      faults: { ...faults, seed: seed * 31 + at, clock },
    });
    const control = createRunControl({ backend, clock, onError: (error) => errors.push(error) });
    watch.node(control);
    return { control, backend };
  });
  return { nodes, state, clock, watch, errors };
}

/** Who is asked for an answer, until it comes. */
export class Pending {
  readonly #waiting = new Set<string>();
  #count = 0;

  /** Notes a promise by name. What it rejects with is an answer, too. */
  note<T>(name: string, promise: PromiseLike<T>): Promise<T | undefined> {
    const label = `${name} #${++this.#count}`;
    this.#waiting.add(label);
    return Promise.resolve(promise).then(
      (value) => {
        this.#waiting.delete(label);
        return value;
      },
      () => {
        this.#waiting.delete(label);
        return undefined;
      },
    );
  }

  get names(): string[] {
    return [...this.#waiting];
  }
}
