import { isRunAbortedError, isRunfenceError } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { HOSTILE_ERRORS } from '../../support/hostile.js';
import { tracked, upstream } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

describe.each(HOSTILE_ERRORS)('%s', (_what, make) => {
  test('is no error of runfence', () => {
    const error = make();
    expect([isRunfenceError(error), isRunfenceError(error, 'RUN_ABORTED'), isRunAbortedError(error)]).toEqual([
      false,
      false,
      false,
    ]);
  });

  test('goes to onError when work throws it after the cut', async () => {
    const { control, errors } = tracked();
    const error = make();
    const outcome = control.run({ sessionKey: 's' }, async (run) => {
      await untilCut(run);
      throw error;
    });
    const receipt = await control.abort('all');
    expect(await outcome).toMatchObject({ status: 'aborted' });
    const { quiet, runs } = await receipt.whenQuiet();
    expect(quiet).toBe(true);
    expect([errors.length, errors[0] === error, runs[0]?.error === error]).toEqual([1, true, true]);
  });

  test('goes to onError when a source throws it on its way out', async () => {
    const { control, errors } = tracked();
    const run = await begin(control);
    const error = make();
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<unknown>>(() => {}),
        return: () => {
          throw error;
        },
      }),
    };
    const pulled = run.fence(source)[Symbol.asyncIterator]().next();
    const receipt = await control.abort('all');
    await expect(pulled).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    run.complete();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect([errors.length, errors[0] === error]).toEqual([1, true]);
  });

  test('aborts as upstream when it is the reason of the caller’s signal', async () => {
    const { control } = tracked();
    const caller = upstream();
    const run = await begin(control, { signal: caller.signal });
    caller.abort(make());
    await flush();
    expect(run.reason).toBe('upstream');
    run.complete();
  });

  test('keeps a run from starting as upstream when the signal is aborted already', async () => {
    const { control } = tracked();
    const signal = AbortSignal.abort(make());
    expect(await control.runs.begin({ sessionKey: 's', signal })).toMatchObject({
      status: 'aborted',
      reason: 'upstream',
    });
  });

  test('takes the lock from its holder when it is the reason of the holding signal', async () => {
    const { control } = tracked();
    const holder = upstream();
    const grant = await control.locks.acquire('s', { holder: holder.signal });
    holder.abort(make());
    expect(grant.isHeld()).toBe(false);
    (await control.locks.acquire('s', { timeoutMs: 0 })).release();
  });
});

test('an abort of another copy whose reason cannot be read is upstream', async () => {
  const { control } = tracked();
  const caller = upstream();
  const run = await begin(control, { signal: caller.signal });
  caller.abort(
    Object.defineProperties(new Error('stopped'), {
      [Symbol.for('runfence.error')]: { value: true },
      code: { value: 'RUN_ABORTED' },
      reason: {
        get() {
          throw new Error('reason cannot be read');
        },
      },
    }),
  );
  await flush();
  expect(run.reason).toBe('upstream');
  run.complete();
});
