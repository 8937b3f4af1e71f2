import { FakeClock } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { controlled, grow, until } from './support.js';
import { isRunning } from './witness.js';

/** A tree with a leaf that ignores SIGTERM, on a clock that stands still. */
async function deafTree(graceMs?: number) {
  const clock = new FakeClock();
  const tree = await grow('deaf.sh', 2, graceMs === undefined ? {} : { graceMs }, controlled({ clock }));
  return { ...tree, clock, left: () => tree.pids.filter(isRunning) };
}

describe('kill', () => {
  test('resolves with the proof, and does so again when it is called again (G17)', async () => {
    const { run, handle, pids } = await grow('own-session.sh', 2);
    const report = await handle.kill();
    expect(report).toEqual({ gone: true, survivors: [], elapsedMs: expect.any(Number) });
    expect(pids.filter(isRunning)).toEqual([]);
    expect(await handle.kill()).toMatchObject({ gone: true, survivors: [] });
    run.complete();
  });

  test('waits for its grace, to the millisecond (G2)', async () => {
    const { run, handle, clock, left } = await deafTree(60_000);
    const killing = handle.kill();
    await until(() => left().length === 1);
    await clock.advance(59_999);
    expect(left()).toHaveLength(1);
    await clock.advance(1);
    expect(await killing).toMatchObject({ gone: true, elapsedMs: 60_000 });
    expect(clock.pending).toBe(0);
    run.complete();
  });

  test('again with less grace brings SIGKILL forward; with more it does not put it off (G14)', async () => {
    const { run, handle, clock, left } = await deafTree();
    const killing = [handle.kill(), handle.kill({ graceMs: 60_000 }), handle.kill({ graceMs: 100 })];
    await until(() => left().length === 1);
    await clock.advance(99);
    expect(left()).toHaveLength(1);
    await clock.advance(1);
    for (const report of await Promise.all(killing)) expect(report).toMatchObject({ gone: true, elapsedMs: 100 });
    run.complete();
  });

  test('with no grace while another waits kills at once', async () => {
    const { run, handle, clock, left } = await deafTree();
    const first = handle.kill();
    await until(() => left().length === 1);
    expect(await handle.kill({ graceMs: 0 })).toMatchObject({ gone: true });
    expect(await first).toMatchObject({ gone: true });
    expect(left()).toEqual([]);
    expect(clock.pending).toBe(0);
    run.complete();
  });

  test.each([-1, 60_001, Number.NaN, '5'])('with a grace of %s is refused', async (graceMs) => {
    const { run, handle, pids } = await grow('plain.sh', 2);
    await expect(handle.kill({ graceMs: graceMs as number })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(pids.filter(isRunning)).toEqual(pids);
    run.complete();
    await until(() => pids.filter(isRunning).length === 0);
  });

  test('by default leaves its run time to prove it: no more than 60 % of the run’s grace', async () => {
    const clock = new FakeClock();
    const control = controlled({ clock, defaults: { graceMs: 1_000 } });
    const { run, handle, pids } = await grow('deaf.sh', 2, {}, control);
    const killing = handle.kill();
    await until(() => pids.filter(isRunning).length === 1);
    await clock.advance(600);
    expect(await killing).toMatchObject({ gone: true, elapsedMs: 600 });
    run.complete();
  });
});

describe('a second stop of the run', () => {
  test('with a shorter grace brings SIGKILL forward; a longer one does not put it off (A82)', async () => {
    const { control, run, clock, left } = await deafTree(60_000);
    await control.abort({ runId: run.id });
    run.complete();
    await until(() => left().length === 1);
    const again = await control.abort({ sessionKey: run.sessionKey }, { graceMs: 100 });
    expect(again.result).toBe('already-stopping');
    await control.abort({ runId: run.id }, { graceMs: 50_000 });
    await clock.advance(99);
    expect(left()).toHaveLength(1);
    await clock.advance(1);
    expect(await again.whenQuiet()).toMatchObject({ quiet: true, runs: [{ leftovers: [] }] });
    expect(left()).toEqual([]);
  });

  test('a first stop with a grace of 0 kills at once', async () => {
    const { control, run, left } = await deafTree(60_000);
    const receipt = await control.abort({ runId: run.id }, { graceMs: 0 });
    run.complete();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(left()).toEqual([]);
  });
});
