import { spawn as startProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRunControl, type Run } from 'runfence';
import { files } from 'runfence/files';
import { endOrphan, type OrphanedRun, spawn } from 'runfence/process';
import { describe, expect, onTestFinished, test } from 'vitest';
import { begin } from '../support/begin.js';
import { endsWhatIsLeft, killedServer, orphanOf } from './dying.js';
import { collect, controlled, fixture, grow, textOf, until } from './support.js';
import { isRunning } from './witness.js';

const STALE_MS = 2_000;

function orphanedOf({ id: runId, generation, nodeId }: Run): OrphanedRun {
  return { runId, generation, nodeId };
}

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

describe('of an orphan it also ends', () => {
  test.each([
    ['while the process that made its session is there', []],
    ['once that has ended', ['leaves']],
  ])('a deaf process in its session that has cleared its environment, %s', async (_when, args) => {
    const run = await begin(controlled());
    const child = await spawn(run, 'sh', [fixture('deaf-cleared.sh'), ...args], { atAbort: 'kill' });
    const text = collect(child.stdout);
    const leaves = (): number[] => [...text().matchAll(/^leaf (\d+)$/gm)].map(([, pid]) => Number(pid));
    await until(() => leaves().length === 2);
    if (args.length > 0) await child.exited;
    const report = await endOrphan(orphanedOf(run), { graceMs: 100 });
    expect(leaves().filter(isRunning)).toEqual([]);
    expect(report).toMatchObject({ gone: true, survivors: [] });
    run.complete();
  });
});

describe('a copy of its mark', () => {
  const marks = async (): Promise<{ run: Run; value: string }> => {
    const run = await begin(controlled());
    const child = await spawn(run, 'sh', ['-c', 'echo "$RUNFENCE_PROCESS"']);
    return { run, value: (await textOf(child.stdout)).trim() };
  };
  /** A stranger to every run, and what it has said. */
  const stranger = async (script: string, env: NodeJS.ProcessEnv): Promise<() => number[]> => {
    const child = startProcess('setsid', ['sh', '-c', script], { stdio: ['ignore', 'pipe', 'ignore'], env });
    let text = '';
    child.stdout.on('data', (data: Buffer) => {
      text += data.toString();
    });
    const pids = (): number[] => [...text.matchAll(/^leaf (\d+)$/gm)].map(([, pid]) => Number(pid));
    onTestFinished(async () => {
      const all = [child.pid as number, ...pids()];
      for (const pid of all.filter(isRunning)) process.kill(pid, 'SIGKILL');
      await until(() => !all.some(isRunning));
    });
    await until(() => pids().length === 2);
    return pids;
  };
  const leaf = fixture('leaf.sh');

  test('in other words than those of the variable is nobody’s: such a process goes on', async () => {
    const { run, value } = await marks();
    const own = {
      PATH: process.env.PATH,
      LOG: `RUNFENCE_PROCESS=${value}`,
      RUNFENCE_PROCESS: value.replaceAll(/(?=:|$)/g, 'x'),
      X_RUNFENCE_PROCESS: value,
    };
    const pids = await stranger(`sh ${leaf} "RUNFENCE_PROCESS=${value}" & exec sh ${leaf}`, own);
    expect(await endOrphan(orphanedOf(run), { graceMs: 0 })).toMatchObject({ gone: true, found: 0 });
    expect(pids().filter(isRunning)).toEqual(pids());
    run.complete();
  });

  test('ends the process that has it, and not the session in which somebody else has started it', async () => {
    const { run, value } = await marks();
    const copied = `RUNFENCE_PROCESS='${value}' sh ${leaf} & sh ${leaf} & wait`;
    const pids = await stranger(copied, { PATH: process.env.PATH });
    expect(await endOrphan(orphanedOf(run), { graceMs: 0 })).toMatchObject({ gone: true, found: 1 });
    expect(pids().filter(isRunning)).toHaveLength(1);
    run.complete();
  });
});

test('two that end the same orphan at once both say that it is gone', async () => {
  const { run, pids } = await grow('deaf.sh', 2);
  const orphaned = orphanedOf(run);
  const reports = await Promise.all([
    endOrphan(orphaned, { graceMs: 200 }),
    endOrphan(orphaned, { graceMs: 0 }),
    endOrphan(orphaned, { graceMs: 200 }),
  ]);
  for (const report of reports) expect(report).toMatchObject({ gone: true, survivors: [] });
  expect(pids.filter(isRunning)).toEqual([]);
  run.complete();
});

test('of a run that never had a process nobody is found, and nobody is ended', async () => {
  const { run, pids, control } = await grow('plain.sh', 2);
  const unknown = { nodeId: run.nodeId, runId: 'unknown', generation: run.generation };
  expect(await endOrphan(unknown)).toMatchObject({ gone: true, found: 0, survivors: [] });
  expect(pids.filter(isRunning)).toEqual(pids);
  await control.abort({ runId: run.id });
  run.complete();
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
