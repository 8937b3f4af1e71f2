import { expect } from 'vitest';

/** The error of a run that somebody stopped. */
export const ABORTED: unknown = expect.objectContaining({ name: 'AbortError', code: 'RUN_ABORTED', reason: 'user' });

/** What a gated call rejects with when somebody stopped its run. */
export function abortedCall(started: boolean): unknown {
  return expect.objectContaining({ name: 'AbortError', code: 'RUN_ABORTED', reason: 'user', started });
}

/** The end of a source. */
export const END = { done: true, value: undefined };
