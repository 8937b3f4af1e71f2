import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

class APIUserAbortError extends Error {}

const ABORT_LIKE: [string, (run: Run) => unknown][] = [
  ['the reason of the signal', (run) => run.signal.reason],
  ['an AbortError of the platform', () => new DOMException('The operation was aborted.', 'AbortError')],
  ['an AbortError with another message', () => Object.assign(new Error('gone'), { name: 'AbortError' })],
  ['a class of an SDK that names itself by its class only', () => new APIUserAbortError('Request was aborted.')],
  ['an error whose cause is the abort', (run) => new Error('fetch failed', { cause: run.signal.reason })],
  ['the abort of another copy of the package', () => abortOfAnotherCopy()],
];

function abortOfAnotherCopy(): unknown {
  return Object.assign(new Error('The run was stopped.'), {
    code: 'RUN_ABORTED',
    reason: 'user',
    [Symbol.for('runfence.error')]: true,
  });
}

describe('what work throws after the cut', () => {
  async function throwsAfterTheCut(error: (run: Run) => unknown) {
    const { control, errors } = tracked();
    const outcome = control.run({ sessionKey: 's' }, async (run) => {
      await untilCut(run);
      throw error(run);
    });
    const receipt = await control.abort({ sessionKey: 's' });
    expect(await outcome).toMatchObject({ status: 'aborted' });
    return { errors, report: (await receipt.whenQuiet()).runs[0] };
  }

  test.each(ABORT_LIKE)('is swallowed when it is %s', async (_what, error) => {
    const { errors, report } = await throwsAfterTheCut(error);
    expect(errors).toEqual([]);
    expect(report).toMatchObject({ state: 'quiet' });
    expect(report).not.toHaveProperty('error');
  });

  test('is swallowed when it is the AbortError of node:timers/promises (B9)', async () => {
    const { control, errors } = tracked();
    const outcome = control.run({ sessionKey: 's' }, (run) => sleep(60_000, undefined, { signal: run.signal }));
    const receipt = await control.abort({ sessionKey: 's' });
    expect(await outcome).toMatchObject({ status: 'aborted' });
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(errors).toEqual([]);
  });

  test.each([
    ['an error', new Error('disk full')],
    ['an error that only speaks of an abort', new Error('The operation was aborted')],
    ['a string', 'AbortError'],
  ])('goes to onError and into the report when it is %s', async (_what, error) => {
    const { errors, report } = await throwsAfterTheCut(() => error);
    expect(errors).toEqual([error]);
    expect(report).toMatchObject({ state: 'quiet', error });
  });

  test('is swallowed when a timeout was the reason', async () => {
    const { control, clock, errors } = tracked();
    const outcome = control.run({ sessionKey: 's', timeoutMs: 10 }, async (run) => {
      await untilCut(run);
      run.throwIfStale();
    });
    await clock.advance(10);
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'timeout' });
    expect(errors).toEqual([]);
  });
});

test('a commit that nobody awaited, and that the end of its run refuses, goes to onError: it is a lost write', async () => {
  const { control, errors } = tracked();
  const written = gate();
  await control.run({ sessionKey: 's' }, (run) => {
    void run.commit(() => written.promise);
    void run.commit(() => {
      throw new Error('The second write was made.');
    });
  });
  written.open();
  await flush();
  expect(errors).toMatchObject([{ code: 'RUN_ENDED' }]);
});

test('a commit that a cut refuses is not reported: the receipt counts it', async () => {
  const { control, errors } = tracked();
  const outcome = control.run({ sessionKey: 's' }, async (run) => {
    await control.abort('all');
    void run.commit(() => 1);
  });
  expect(await outcome).toMatchObject({ status: 'aborted' });
  await flush();
  expect(errors).toEqual([]);
});
