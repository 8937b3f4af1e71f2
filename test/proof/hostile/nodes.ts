import { type Backend, createRunControl, isRunfenceError, type RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FakeClock, type RandomFaults } from 'runfence/testing';
import { Invariants } from '../invariants.js';
import { AskedBackend } from './asked.js';

/** One control, and the way to its backend. */
export interface Node {
  readonly control: RunControl;
  /** Absent where nothing goes wrong: a ledger of its own, or a memory that the nodes share. */
  readonly backend: AskedBackend | undefined;
  /** What its `onError` was told. */
  readonly errors: unknown[];
}

export interface Nodes {
  readonly nodes: readonly Node[];
  /** The state that they share, without faults; absent for a ledger of its own. */
  readonly state: Backend | undefined;
  readonly clock: FakeClock;
  readonly watch: Invariants;
  /** Requests come twice: what the second one leaves, its node may never hear of. */
  readonly isDoubling: boolean;
}

/** What the nodes stand on: `private` is the ledger of one control alone, `memory` one that answers at once. */
export type Ground = 'private' | 'memory' | Omit<RandomFaults, 'seed' | 'clock'>;

/** A release may have to be repeated until the backend takes it. */
const BACKEND_MS = 120_000;

/** Controls on one backend, each behind faults of its own, and watched. */
export function nodesOn(ground: Ground, count: number, seed: number): Nodes {
  const clock = new FakeClock();
  const watch = new Invariants(clock, typeof ground === 'string' ? {} : { backendMs: BACKEND_MS });
  const state = ground === 'private' ? undefined : watch.record(memory());
  const nodes = Array.from({ length: count }, (_, at): Node => {
    const errors: unknown[] = [];
    const backend =
      state === undefined || typeof ground === 'string'
        ? undefined
        : new AskedBackend(
            { over: state, scope: 'cluster', faults: { ...ground, seed: seed * 31 + at, clock } },
            { now: () => clock.monotonic(), history: watch.history },
          );
    const over = backend ?? state;
    const control = createRunControl({
      ...(over !== undefined && { backend: over }),
      clock,
      onError: (error, about) => {
        errors.push(error);
        const code = isRunfenceError(error) ? error.code : String(error);
        watch.error(control, code, about);
      },
    });
    watch.node(control);
    return { control, backend, errors };
  });
  const isDoubling = typeof ground !== 'string' && ground.doubled !== undefined;
  return { nodes, state, clock, watch, isDoubling };
}
