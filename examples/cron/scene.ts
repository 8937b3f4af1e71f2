import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PARTS, type Part } from './report.js';

/** Where the scene tells what happens. */
interface Stage {
  scene(title: string): void;
  event(who: string, what: string): void;
  check(held: boolean, claim: string, evidence: string): void;
}

/** Half of what it takes until a process that is only silent, and not dead, is given up. */
const SOON_MS = 5_000;
const LIMIT_MS = 30_000;

/** Two processes with one job that must not overlap. One is killed in the middle of it, the other goes on. */
export async function cronScene(stage: Stage): Promise<void> {
  stage.scene('7  Two processes, one cron job, and one of them is killed');
  const folder = mkdtempSync(join(tmpdir(), 'runfence-cron-'));
  const log = join(folder, 'report.log');
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const [first, second] = ['first', 'second'].map((name) =>
    fork(main, [name, folder], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
  );
  if (first === undefined || second === undefined) return;
  try {
    const both = await until(log, () => wholeJobsOf(log, 'first') >= 2 && wholeJobsOf(log, 'second') >= 2);
    stage.event(
      'cron',
      `both had their turns: ${jobsIn(log)
        .map(({ name }) => name)
        .join(', ')}`,
    );
    await until(log, () => isFrozenInAJob(first, 'first', log));
    const parts = read(log).length;
    const killedAt = performance.now();
    await kill(first);
    stage.event('cron', 'first is killed in the middle of a job');
    await until(log, () =>
      read(log)
        .slice(parts)
        .some(({ name }) => name === 'second'),
    );
    const tookMs = performance.now() - killedAt;
    stage.event('cron', 'second goes on');
    await until(log, () => wholeJobsOf(log, 'second') >= 4);
    second.kill('SIGTERM');
    const [code] = (await once(second, 'exit')) as [number | null];

    const jobs = jobsIn(log);
    const rises = jobs.every(({ generation }, i) => generation > (jobs[i - 1]?.generation ?? 0));
    const broken = jobs.filter(({ parts: count }) => count < PARTS);
    stage.check(both, 'both processes have their turns', `${jobs.length} jobs`);
    stage.check(rises, 'no two jobs overlap, generations rise', jobs.map(({ generation }) => generation).join(' < '));
    const isOne = broken.length > 0 && broken[0]?.name === 'first' && broken.length <= 2;
    stage.check(isOne, 'the job of the killed one is cut off', `after ${broken[0]?.parts} of ${PARTS} parts`);
    stage.check(tookMs < SOON_MS, 'the other takes over', `its first part after ${Math.round(tookMs)} ms`);
    stage.check(code === 0, 'a signal drains it, and it ends', `exit code ${code}`);
  } finally {
    for (const child of [first, second]) await kill(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Job {
  readonly name: string;
  readonly generation: number;
  readonly parts: number;
}

/** The jobs in the order of the log. One whose parts are not together is there twice. */
function jobsIn(log: string): Job[] {
  const jobs: Job[] = [];
  for (const { name, generation } of read(log)) {
    const last = jobs.at(-1);
    if (last?.generation === generation) jobs[jobs.length - 1] = { ...last, parts: last.parts + 1 };
    else jobs.push({ name, generation, parts: 1 });
  }
  return jobs;
}

function wholeJobsOf(log: string, name: string): number {
  return jobsIn(log).filter((job) => job.name === name && job.parts === PARTS).length;
}

function isInTheMiddle(log: string, name: string): boolean {
  const job = jobsIn(log).at(-1);
  return job?.name === name && job.parts > 1 && job.parts < PARTS - 1;
}

/** A look at the log may be old when it is over, so the process is held before it, and let go if it came too late. */
function isFrozenInAJob(child: ChildProcess, name: string, log: string): boolean {
  if (!isInTheMiddle(log, name)) return false;
  child.kill('SIGSTOP');
  if (isInTheMiddle(log, name)) return true;
  child.kill('SIGCONT');
  return false;
}

function read(log: string): Part[] {
  try {
    const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Part);
  } catch {
    // Nothing is written yet.
    return [];
  }
}

async function until(log: string, condition: () => boolean): Promise<boolean> {
  for (const startedAt = performance.now(); performance.now() - startedAt < LIMIT_MS; ) {
    if (condition()) return true;
    await sleep(10);
  }
  const jobs = jobsIn(log).map(({ name, parts }) => `${name} (${parts})`);
  throw new Error(`The processes did not get on with their jobs in ${LIMIT_MS} ms: ${jobs.join(', ') || 'none'}.`);
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
