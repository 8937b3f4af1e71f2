import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RunControl, RunView } from 'runfence';
import { endOrphan } from 'runfence/process';
import { expect } from 'vitest';
import type { StoreAddress } from '../support/stores/open.js';
import { isRunning } from './witness.js';

/** The processes of a server that was killed in the middle of its run, by what they are. */
export type Left = Readonly<Record<'deaf' | 'reparented' | 'detached', readonly number[]>>;

/** Starts a server whose run has processes, and kills it once they are there. */
export async function killedServer(store: StoreAddress): Promise<Left> {
  const file = fileURLToPath(new URL('fixtures/dying.ts', import.meta.url));
  const server = spawn(process.execPath, ['--import', 'tsx', file, JSON.stringify(store)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const left: Record<string, readonly number[]> = {};
  for await (const line of createInterface({ input: server.stdout })) {
    const { what, pids } = JSON.parse(line) as { what: string; pids: number[] };
    if (what === 'ready') break;
    left[what] = pids;
  }
  const exit = once(server, 'exit');
  server.kill('SIGKILL');
  await exit;
  return left as Left;
}

export function orphanOf(control: RunControl): Promise<RunView> {
  return new Promise((resolve) => {
    control.on('run:orphaned', ({ run }) => resolve(run));
  });
}

/** What the successor that is told of the run does, and what it must not do. */
export async function endsWhatIsLeft(left: Left, orphaned: Promise<RunView>): Promise<void> {
  const trees = [...left.deaf, ...left.reparented];
  expect(trees.filter(isRunning)).toEqual(trees);
  const run = await orphaned;
  const strangers = await endOrphan({ ...run, generation: run.generation + 1 });
  expect(strangers).toMatchObject({ gone: true, found: 0 });
  expect(trees.filter(isRunning)).toEqual(trees);
  const report = await endOrphan(run, { graceMs: 200 });
  expect(report).toMatchObject({ gone: true, survivors: [] });
  expect(report.found).toBeGreaterThanOrEqual(trees.length);
  expect(trees.filter(isRunning)).toEqual([]);
  // What is to outlive its run outlives its server too.
  expect(left.detached.filter(isRunning)).toEqual(left.detached);
  expect(await endOrphan(run)).toMatchObject({ gone: true, found: 0 });
  for (const pid of left.detached) process.kill(pid, 'SIGKILL');
  await expect.poll(() => left.detached.filter(isRunning)).toEqual([]);
}
