import { memory, type RunControl, type RunControlOptions } from 'runfence';
import type { FakeClock } from 'runfence/testing';
import { expect } from 'vitest';
import { AsyncBackend } from './async-backend.js';
import { tracked } from './tracked.js';

/** How long a control waits for its backend. */
export const BOUND_MS = 2_000;

/** A control whose backend answers with promises, and what that backend knows. */
export function slow(options: Pick<RunControlOptions, 'retention'> = {}): {
  slow: AsyncBackend;
  state: ReturnType<typeof memory>;
  control: RunControl;
  clock: FakeClock;
  errors: unknown[];
} {
  const state = memory();
  const slow = new AsyncBackend(state, 'cluster');
  return { slow, state, ...tracked({ ...options, backend: slow.backend }) };
}

export function unavailable(answer: Promise<unknown>): Promise<void> {
  return expect(answer).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
}
