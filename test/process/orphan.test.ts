import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRunControl } from 'runfence';
import { files } from 'runfence/files';
import { endOrphan, type OrphanedRun, spawn } from 'runfence/process';
import { expect, onTestFinished, test } from 'vitest';
import { begin } from '../support/begin.js';
import { endsWhatIsLeft, killedServer, orphanOf } from './dying.js';
import { controlled, fixture, grow, textOf } from './support.js';
import { isRunning } from './witness.js';

const STALE_MS = 2_000;

test('the processes of a server that was killed are ended by who is told of its run, by their mark (G19)', {
  timeout: 60_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'runfence-orphan-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const control = createRunControl({ backend: files({ dir, staleMs: STALE_MS, durable: false }) });
  onTestFinished(() => control.drain({ graceMs: 0 }).then(() => {}));
  const orphaned = orphanOf(control);
  const left = await killedServer({ kind: 'files', dir, staleMs: STALE_MS });
  const next = await begin(control, { sessionKey: 'dying' });
  await endsWhatIsLeft(left, orphaned);
  next.complete();
});

test('a run of the same id and number on another node keeps its processes', async () => {
  const { control, run, pids } = await grow('deaf.sh', 2, { graceMs: 100 });
  const { id: runId, generation, nodeId } = run;
  expect(await endOrphan({ runId, generation, nodeId: `${nodeId}x` })).toMatchObject({ gone: true, found: 0 });
  expect(pids.filter(isRunning)).toEqual(pids);
  await control.abort({ runId });
  run.complete();
  await expect.poll(() => pids.filter(isRunning)).toEqual([]);
});

test('a process that the run itself has started ends nobody: it would end what it lives in', async () => {
  const control = controlled();
  const run = await begin(control);
  const { id: runId, generation, nodeId } = run;
  const given = JSON.stringify({ runId, generation, nodeId });
  const child = await spawn(run, process.execPath, ['--import', 'tsx', fixture('inside.ts'), given]);
  expect(JSON.parse(await textOf(child.stdout))).toEqual({ gone: false, found: 0 });
  run.complete();
});

test.each([
  undefined,
  {},
  { nodeId: 'n', runId: 'r', generation: Number.NaN },
  { nodeId: 'n', runId: 7, generation: 1 },
])('of %j nothing is ended', async (run) => {
  await expect(endOrphan(run as unknown as OrphanedRun)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
});

test('a grace that is none is refused', async () => {
  const run = { nodeId: 'n', runId: 'r', generation: 1 };
  await expect(endOrphan(run, { graceMs: -1 })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
});
