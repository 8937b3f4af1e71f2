import { memory } from 'runfence/backend';
import { FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked, trackedLock } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const broken = new Error('dispatchEvent is broken');

/** The platform tells the listeners of a signal through its own `dispatchEvent`. */
function breakSignal(signal: AbortSignal): AbortSignal {
  return Object.assign(signal, {
    dispatchEvent: () => {
      throw broken;
    },
  });
}

describe('a signal whose dispatchEvent throws', () => {
  test('of a lost grant does not keep the lock', async () => {
    const { control, errors } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    breakSignal(grant.lost);
    const next = control.locks.acquire('s');
    await control.abort({ runId: run.id });
    (await next).release();
    expect([grant.lost.aborted, errors]).toEqual([true, [broken]]);
    run.complete();
  });

  test('of a section that outlives the write grace keeps neither its caller nor the lock', async () => {
    const { control, clock, errors } = tracked({ defaults: { writeGraceMs: 100 } });
    const run = await begin(control);
    const stuck = gate();
    const written = expect(
      run.commit(({ lost }) => {
        breakSignal(lost);
        return stuck.promise;
      }),
    ).rejects.toMatchObject({ code: 'LOCK_LOST' });
    const next = control.locks.acquire('s');
    const receipt = await control.abort({ runId: run.id });
    await clock.advance(100);
    await written;
    (await next).release();
    expect(errors).toEqual([broken]);
    stuck.open();
    run.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ lock: 'revoked' }]);
  });

  test('of an epilogue whose time is over does not keep the lock', async () => {
    const { control, clock, errors } = tracked({ defaults: { epilogueMs: 100 } });
    const run = await begin(control);
    const stuck = gate();
    run.epilogue(({ signal }) => {
      breakSignal(signal);
      return stuck.promise;
    });
    const receipt = await control.abort({ runId: run.id });
    const next = control.locks.acquire('s');
    await clock.advance(100);
    (await next).release();
    expect(errors).toMatchObject([broken, { code: 'NOT_SAVED' }]);
    stuck.open();
    run.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'timed-out' }]);
  });

  test('of an epilogue whose grant is taken away is told, and the rest of the record is obeyed', async () => {
    const backend = memory();
    const { control, errors } = tracked({ backend });
    const other = tracked({ backend });
    const run = await begin(control);
    const saving = gate();
    let token = 0;
    run.epilogue((context) => {
      token = context.token;
      breakSignal(context.signal);
      return saving.promise;
    });
    const receipt = await control.abort({ runId: run.id });
    const beside = await begin(control, { whenBusy: 'concurrent' });
    backend.unlock({ sessionKey: 's', nodeId: 'other', token, seen: 0 });
    await other.control.abort({ runId: beside.id });
    expect([beside.reason, errors]).toEqual(['user', [broken]]);
    saving.open();
    run.complete();
    beside.complete();
    expect((await receipt.whenQuiet()).quiet).toBe(true);
  });
});

test.each([
  ['at once', (state: ReturnType<typeof memory>) => state],
  ['late', (state: ReturnType<typeof memory>) => new FaultyBackend({ over: state })],
])(
  'a clock that throws once while somebody else has the lock: who waits is told, and the lock goes on; %s',
  async (_, over) => {
    const clock = new FakeClock();
    const state = memory();
    const errors: unknown[] = [];
    const locks = trackedLock({ backend: over(state), clock, onError: (error) => errors.push(error) });
    const elsewhere = trackedLock({ backend: state });
    const other = await elsewhere.acquire('s');
    const { setTimeout } = clock;
    const bound = setTimeout.bind(clock);
    // The one for the next question, not the bound of this one.
    let isBroken = false;
    clock.setTimeout = (callback, ms) => {
      if (!isBroken || ms !== 50) return bound(callback, ms);
      isBroken = false;
      throw new Error('no timer is left');
    };
    isBroken = true;
    await expect(locks.acquire('s')).rejects.toThrow('no timer is left');
    expect(errors).toHaveLength(1);
    const next = locks.acquire('s');
    await flush();
    other.release();
    await clock.advance(50);
    const grant = await next;
    expect(grant.isHeld()).toBe(true);
    grant.release();
    await flush();
    expect(clock.pending).toBe(0);
  },
);
