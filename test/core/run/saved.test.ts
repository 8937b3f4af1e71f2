import { memory } from 'runfence/backend';
import { FaultyBackend } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

describe('whenSaved', () => {
  test('does not wait for a deaf tool, as quiet does', async () => {
    const { control, clock } = tracked();
    const deaf = gate();
    const outcome = control.run({ sessionKey: 's', runId: 'r', save: () => {} }, (run) =>
      run.gate(() => deaf.promise, { name: 'deaf' })(),
    );
    const receipt = await control.abort({ sessionKey: 's' });
    expect(await receipt.whenSaved()).toEqual({ r: { state: 'saved', how: 'cut' } });
    const quiet = receipt.whenQuiet();
    await clock.advance(5_000);
    expect((await quiet).quiet).toBe(false);
    const aborted = await outcome;
    if (aborted.status !== 'aborted') return expect.unreachable();
    expect(await aborted.whenSaved()).toEqual({ state: 'saved', how: 'cut' });
    deaf.open();
  });

  test('does not wait for a commit that hangs beyond the write grace, and says that nothing was announced', async () => {
    const { control, clock } = tracked({ defaults: { writeGraceMs: 100 } });
    const hanging = gate();
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, (run) => run.commit(() => hanging.promise));
    const receipt = await control.abort({ sessionKey: 's' });
    const saved = receipt.whenSaved();
    await clock.advance(100);
    expect(await saved).toEqual({ r: { state: 'none' } });
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs[0]).toMatchObject({
      lock: 'revoked',
      leftovers: ['commit'],
    });
    hanging.open();
    await outcome;
  });

  test('says that the whole was saved before the cut', async () => {
    const { control } = tracked();
    const held = gate();
    void control.run({ sessionKey: 's', runId: 'r', save: () => {} }, async (run) => {
      await run.draft().commit();
      await held.promise;
    });
    await Promise.resolve();
    const before = await control.locks.acquire('s');
    before.release();
    const receipt = await control.abort({ sessionKey: 's' });
    expect(await receipt.whenSaved()).toEqual({ r: { state: 'saved', how: 'whole' } });
    held.open();
  });

  test('says that nothing was announced, that a save threw, and that it took too long', async () => {
    const { control, clock, errors } = tracked();
    const held = gate();
    const stuck = gate();
    const options = { sessionKey: 's', whenBusy: 'concurrent' } as const;
    void control.run({ ...options, runId: 'none' }, () => held.promise);
    const throws = (): never => {
      throw new Error('store');
    };
    void control.run({ ...options, runId: 'throws', save: throws }, () => held.promise);
    void control.run({ ...options, runId: 'stuck', save: () => stuck.promise }, () => held.promise);
    const receipt = await control.abort({ sessionKey: 's' });
    const saved = receipt.whenSaved();
    await clock.advance(1_000);
    expect(await saved).toEqual({
      none: { state: 'none' },
      throws: { state: 'failed' },
      stuck: { state: 'timed-out' },
    });
    held.open();
    stuck.open();
    expect(errors).toHaveLength(2);
  });

  test.each(['at once', 'later'])(
    'of a run of another node brings what that node says, on a backend that answers %s',
    async (how) => {
      const state = memory();
      const open = (): FaultyBackend | ReturnType<typeof memory> =>
        how === 'later' ? new FaultyBackend({ over: state, scope: 'cluster' }) : state;
      const here = tracked({ backend: open() });
      const there = tracked({ backend: open() }, here.clock);
      const deaf = gate();
      void here.control.run({ sessionKey: 's', runId: 'r', save: () => {} }, (run) =>
        run.gate(() => deaf.promise, { name: 'deaf' })(),
      );
      await here.clock.advance(10);
      const stopping = there.control.abort({ sessionKey: 's' });
      await here.clock.advance(10);
      const receipt = await stopping;
      const saved = receipt.whenSaved();
      await here.clock.advance(1_000);
      expect(await saved).toEqual({ r: { state: 'saved' } });
      const quiet = receipt.whenQuiet();
      await here.clock.advance(5_000);
      expect(await quiet).toMatchObject({
        quiet: false,
        runs: [{ runId: 'r', state: 'leftovers', epilogue: 'done', leftovers: ['deaf'] }],
      });
      deaf.open();
      await here.clock.advance(10);
    },
  );
});
