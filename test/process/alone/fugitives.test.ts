import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endOrphan, spawn } from 'runfence/process';
import { expect, onTestFinished, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { abort, controlled, fixture, grow, until } from '../support.js';
import { markedProcesses } from '../witness.js';

// These run alone. They start and end so many processes that the tests of other trees could not prove anything meanwhile:
// a process that ends before it was looked at might have belonged to any tree.

test('a tree is killed that starts processes as fast as it can, in sessions of their own too', async () => {
  const { control, run, handle } = await grow('storms.sh', 2, { graceMs: 0 });
  await until(() => markedProcesses().length > 50);
  const report = await abort(control, run);
  expect(markedProcesses()).toEqual([]);
  expect(report).toMatchObject({ state: 'quiet', leftovers: [] });
  expect(await handle.exited).toMatchObject({ signal: 'SIGKILL' });
});

test('an orphan that starts processes as fast as it can is ended, also by two at once', async () => {
  const { run } = await grow('storms.sh', 2, { graceMs: 0 });
  await until(() => markedProcesses().length > 50);
  const { id: runId, generation, nodeId } = run;
  const orphaned = { runId, generation, nodeId };
  const end = () => Promise.all([endOrphan(orphaned, { graceMs: 0 }), endOrphan(orphaned, { graceMs: 0 })]);
  let reports = await end();
  // On a busy machine it may be ahead of one that looks for a second, and then it is said so.
  while (reports.some(({ gone }) => !gone)) reports = await end();
  expect(markedProcesses()).toEqual([]);
  for (const report of reports) expect(report).toMatchObject({ gone: true, survivors: [] });
  run.complete();
});

test('of a tree that hands over and ends all the time, what is said to be quiet is gone, and what is not has a name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'runfence-relay-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (let round = 0; round < 6; round++) {
    const control = controlled();
    const run = await begin(control);
    const file = join(folder, String(round));
    const hops = (): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
    const handle = await spawn(run, 'sh', [fixture('relayed.sh'), '1000', file], { graceMs: 0, stdout: 'ignore' });
    await until(() => hops() !== '');
    const report = await abort(control, run);
    const last = hops();
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (report?.state === 'quiet') expect(hops()).toBe(last);
    else
      expect(report?.leftovers).toEqual([expect.stringMatching(/^unknown: process sh \(\d+\)$|^process .+ \(\d+\)$/)]);
    await until(() => control.runs.list().length === 0);
    expect(await handle.kill()).toMatchObject({ gone: true });
  }
});
