import type { RunControl, RunControlOptions } from 'runfence';
import { memory } from 'runfence/backend';
import { type FakeClock, FaultyBackend } from 'runfence/testing';
import { expect } from 'vitest';
import { tracked } from './tracked.js';

/** How long a control waits for its backend. */
export const BOUND_MS = 2_000;

/** A control whose backend answers with promises, and what that backend knows. */
export function slow(options: Pick<RunControlOptions, 'retention'> = {}): {
  slow: FaultyBackend;
  state: ReturnType<typeof memory>;
  control: RunControl;
  clock: FakeClock;
  errors: unknown[];
} {
  const state = memory();
  const slow = new FaultyBackend({ over: state, scope: 'cluster' });
  return { slow, state, ...tracked({ ...options, backend: slow }) };
}

export function unavailable(answer: Promise<unknown>): Promise<void> {
  return expect(answer).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
}
