import { type Run, RunfenceError } from 'runfence';
import type { ProcessHandle } from 'runfence/process';
import { FakeClock } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { abort, controlled, grow, until } from './support.js';
import { isRunning } from './witness.js';

const TREES = [
  ['in one group', 'plain.sh', 2],
  ['with jobs in groups of their own', 'own-group.sh', 2],
  ['with a leaf in a session of its own', 'own-session.sh', 2],
  ['with a leaf in a session of its own whose parent has ended', 'reparented.sh', 2],
  ['with a leaf without our environment whose parent has ended', 'no-environment.sh', 2],
] as const;

const DEAF_TREES = [
  ['in one group', 'deaf.sh', 2],
  ['in a session of its own, without a parent', 'deaf-reparented.sh', 2],
] as const;

describe('an abort of the run kills a tree', () => {
  test.each(TREES)('%s, by SIGTERM (G18, G20)', async (_, name, leaves) => {
    const { control, run, handle, pids } = await grow(name, leaves);
    const report = await abort(control, run);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(report).toMatchObject({ state: 'quiet', leftovers: [] });
    expect(await handle.exited).toEqual({
      cause: 'aborted',
      reason: 'user',
      exitCode: undefined,
      signal: 'SIGTERM',
    });
  });

  test.each(TREES)('%s, by SIGKILL alone', async (_, name, leaves) => {
    const { control, run, handle, pids } = await grow(name, leaves, { graceMs: 0 });
    const report = await abort(control, run);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(report).toMatchObject({ state: 'quiet', leftovers: [] });
    expect(await handle.exited).toMatchObject({ signal: 'SIGKILL' });
  });

  test.each(DEAF_TREES)(
    'with a leaf that ignores SIGTERM, %s, after its grace and not before (G3)',
    async (_, name, leaves) => {
      const clock = new FakeClock();
      const { control, run, handle, pids, text } = await grow(name, leaves, {}, controlled({ clock }));
      const receipt = await control.abort({ runId: run.id });
      run.complete();
      // The others are gone, and so is the group's leader.
      await handle.exited;
      await until(() => pids.filter(isRunning).length === 1);
      await clock.advance(2_999);
      const [left] = pids.filter(isRunning);
      expect(text()).toContain(`leaf ${left}`);
      const before = (await receipt.whenQuiet({ timeoutMs: 0 })).runs[0];
      expect(before?.leftovers).toEqual([`process sh (${handle.pid})`]);
      await clock.advance(1);
      expect(await receipt.whenQuiet({ timeoutMs: Number.POSITIVE_INFINITY })).toMatchObject({ quiet: true });
      expect(pids.filter(isRunning)).toEqual([]);
    },
  );

  test('whose leader has ended, and has left two behind', async () => {
    const { control, run, handle, pids } = await grow('background.sh', 2);
    expect(await handle.exited).toMatchObject({ cause: 'exited', exitCode: 0 });
    expect(pids.filter(isRunning)).toHaveLength(2);
    expect(await abort(control, run)).toMatchObject({ state: 'quiet' });
    expect(pids.filter(isRunning)).toEqual([]);
    expect(await handle.exited).toMatchObject({ cause: 'exited', exitCode: 0 });
  });

  test('fifty times at once', async () => {
    const control = controlled();
    const names = ['plain.sh', 'own-session.sh', 'reparented.sh', 'no-environment.sh', 'own-group.sh'];
    const trees = await Promise.all(
      Array.from({ length: 50 }, (_, index) => grow(names[index % names.length] ?? '', 2, {}, control)),
    );
    const pids = trees.flatMap((tree) => tree.pids);
    expect(pids.filter(isRunning).length).toBeGreaterThanOrEqual(100);
    const receipt = await control.abort('all');
    for (const { run } of trees) run.complete();
    expect(await receipt.whenQuiet({ timeoutMs: 10_000 })).toMatchObject({ quiet: true });
    expect(pids.filter(isRunning)).toEqual([]);
  });
});

const ENDS: readonly [string, (run: Run, handle: ProcessHandle) => unknown, object][] = [
  ['the completion of its run', (run) => run.complete(), { cause: 'ended' }],
  ['the failure of its run', (run) => run.fail(new RunfenceError('RUN_FAILED', 'no')), { cause: 'ended' }],
  ['its kill()', (_, handle) => handle.kill(), { cause: 'killed' }],
  ['its disposal', (_, handle) => handle[Symbol.asyncDispose](), { cause: 'killed' }],
];

test.each(ENDS)('a tree is killed by %s', async (_, end, termination) => {
  const { run, handle, pids } = await grow('reparented.sh', 2);
  await end(run, handle);
  expect(await handle.exited).toMatchObject(termination);
  await until(() => pids.filter(isRunning).length === 0);
  run.complete();
});

test('a tree that has ended by itself is nothing that its run waits for', async () => {
  const { control, run, handle, pids } = await grow('plain.sh', 2);
  for (const pid of pids) if (pid !== handle.pid) process.kill(pid, 'SIGTERM');
  expect(await handle.exited).toMatchObject({ cause: 'exited', exitCode: 0 });
  expect(pids.filter(isRunning)).toEqual([]);
  run.complete();
  await expect.poll(() => control.runs.list()).toEqual([]);
});
