import { hostname } from 'node:os';
import { type Grant, LockTimeoutError, SessionLock } from 'runfence';
import { files } from 'runfence/files';
import { expect, test } from 'vitest';
import { folder } from './support/folders.js';

test('of two stores on one folder that ask at once one gets the lock, and the other hears who holds it, and since when (C1)', async () => {
  const dir = folder();
  const backends = [files({ dir, durable: false }), files({ dir, durable: false })];
  const before = Date.now();
  const answers = await Promise.allSettled(
    backends.map((backend) => new SessionLock({ backend }).acquire('s', { timeoutMs: 0 })),
  );
  const granted = answers.filter((answer): answer is PromiseFulfilledResult<Grant> => answer.status === 'fulfilled');
  const refused = answers.filter((answer): answer is PromiseRejectedResult => answer.status === 'rejected');
  expect([granted.length, refused.length]).toEqual([1, 1]);
  const error: unknown = refused[0]?.reason;
  if (!(error instanceof LockTimeoutError)) throw error;
  const { holder } = error;
  expect(holder).toMatchObject({ token: granted[0]?.value.token, pid: process.pid, host: hostname() });
  expect(holder?.since).toBeGreaterThanOrEqual(before);
  granted[0]?.value.release();
  for (const backend of backends) await backend.close();
});
