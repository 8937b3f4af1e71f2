/**
 * Row 16: how long until a whole tree of processes is gone, and what of it is still there a second later. Each tree is
 * stopped by runfence, by execa, by tree-kill, and by a bare signal to its group (the floor) in turn. A witness of its own looks at the pids that the leaves told.
 * Linux only, since the witness reads `/proc`. Alone: `npx tsx --tsconfig tsconfig.json bench/rows/16-tree-kill.ts`.
 */
import { type ChildProcess, spawn as spawnChild } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { createRunControl } from 'runfence';
import { spawn } from 'runfence/process';
import treeKill from 'tree-kill';

const GRACE_MS = 100;
/** What is there after that is an orphan. */
const WATCH_MS = 1_000;
const REPETITIONS = 15;

const LEAF = `sh -c 'echo leaf $$; exec sleep 60'`;
const DEAF_LEAF = `sh -c 'trap "" TERM; echo leaf $$; i=0; while [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done'`;

const TREES = {
  plain: `${LEAF} & ${LEAF} & wait`,
  'leaf traps TERM': `${DEAF_LEAF} & ${LEAF} & wait`,
  'leaf in its own session': `setsid ${LEAF} & ${LEAF} & wait`,
  'own session, reparented': `(setsid ${LEAF} &); ${LEAF} & wait`,
  'own session, reparented, traps TERM': `(setsid ${DEAF_LEAF} &); ${LEAF} & wait`,
} as const;
const LEAVES = 2;

type Stop = 'KILL' | 'TERM, 100 ms, KILL';

interface Started {
  readonly pid: number;
  readonly leaves: readonly number[];
  stop(): unknown;
  end(): Promise<unknown>;
}

type Side = (script: string, stop: Stop) => Promise<Started>;

const SIDES: Readonly<Record<string, Side>> = {
  async runfence(script, stop) {
    const control = createRunControl();
    const run = control.runs.beginSync({ sessionKey: 'bench' });
    if (run.status !== 'started') throw new Error(run.status);
    const child = await spawn(run.run, 'sh', ['-c', script], { graceMs: stop === 'KILL' ? 0 : GRACE_MS });
    const leaves = await leavesOf(child.stdout);
    const end = async (): Promise<void> => {
      run.run.complete();
      await control.drain();
    };
    return { pid: child.pid, leaves, stop: () => control.abort('all'), end };
  },

  async execa(script, stop) {
    const child = execa('sh', ['-c', script], { reject: false, buffer: false, forceKillAfterDelay: GRACE_MS });
    const leaves = await leavesOf(child.stdout);
    const stopNow = (): boolean => child.kill(stop === 'KILL' ? 'SIGKILL' : 'SIGTERM');
    return { pid: child.pid ?? 0, leaves, stop: stopNow, end: async () => child.stdout.destroy() };
  },

  async 'bare group'(script, stop) {
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    const child: ChildProcess = spawnChild('sh', ['-c', script], { stdio: [...stdio], detached: true });
    const { pid = 0 } = child;
    const leaves = await leavesOf(child.stdout as Readable);
    const stopNow = async (): Promise<void> => {
      process.kill(-pid, stop === 'KILL' ? 'SIGKILL' : 'SIGTERM');
      if (stop === 'KILL') return;
      await sleep(GRACE_MS);
      if (leaves.some(isRunning)) signalGroup(pid);
    };
    return { pid, leaves, stop: stopNow, end: async () => child.stdout?.destroy() };
  },

  async 'tree-kill'(script, stop) {
    const child: ChildProcess = spawnChild('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    const { pid = 0 } = child;
    const leaves = await leavesOf(child.stdout as Readable);
    const stopNow = async (): Promise<void> => {
      treeKill(pid, stop === 'KILL' ? 'SIGKILL' : 'SIGTERM');
      if (stop === 'KILL') return;
      // It has no ladder: the second call is how its users write one.
      await sleep(GRACE_MS);
      treeKill(pid, 'SIGKILL');
    };
    return { pid, leaves, stop: stopNow, end: async () => child.stdout?.destroy() };
  },
};

/** One cell of the table. */
export interface TreeKill {
  readonly tree: string;
  readonly stop: Stop;
  readonly side: string;
  /** Median ms from the stop until all of the tree was gone; `undefined` if that never was. */
  readonly goneMs: number | undefined;
  readonly p90Ms: number | undefined;
  /** The most that was left after a second. */
  readonly orphans: number;
}

export async function measureTreeKills(repetitions: number = REPETITIONS): Promise<TreeKill[]> {
  const seen = new Map<string, { ms: number | undefined; orphans: number }[]>();
  const cells: [tree: string, stop: Stop, side: string][] = [];
  for (const tree of Object.keys(TREES))
    for (const stop of ['KILL', 'TERM, 100 ms, KILL'] as const)
      for (const side of Object.keys(SIDES)) cells.push([tree, stop, side]);
  // The first round warms up.
  for (let round = 0; round <= repetitions; round++) {
    for (const cell of cells) {
      const result = await once(...cell);
      if (round > 0) seen.set(cell.join(), [...(seen.get(cell.join()) ?? []), result]);
    }
  }
  return cells.map(([tree, stop, side]) => {
    const results = seen.get([tree, stop, side].join()) ?? [];
    const orphans = Math.max(...results.map((result) => result.orphans));
    const times = results.flatMap(({ ms }) => ms ?? []).sort((a, b) => a - b);
    const at = (share: number): number | undefined =>
      orphans > 0 ? undefined : times[Math.min(times.length - 1, Math.floor(times.length * share))];
    return { tree, stop, side, goneMs: at(0.5), p90Ms: at(0.9), orphans };
  });
}

async function once(tree: string, stop: Stop, side: string): Promise<{ ms: number | undefined; orphans: number }> {
  const script = TREES[tree as keyof typeof TREES];
  const started = await (SIDES[side] as Side)(script, stop);
  const left = (): number[] => [started.pid, ...started.leaves].filter(isRunning);
  if (left().length !== LEAVES + 1) throw new Error(`The benchmark measured something else: ${tree} did not start.`);
  const since = performance.now();
  started.stop();
  let ms: number | undefined;
  while (ms === undefined && performance.now() - since < WATCH_MS) {
    if (left().length === 0) ms = performance.now() - since;
    // A turn of the event loop: the sides need it, and a timer would not look so often.
    else await new Promise((resolve) => setImmediate(resolve));
  }
  const orphans = left();
  for (const pid of orphans) process.kill(pid, 'SIGKILL');
  await started.end();
  return { ms, orphans: orphans.length };
}

function signalGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Reads until the leaves have told their pids. */
async function leavesOf(output: Readable | ReadableStream<Uint8Array>): Promise<number[]> {
  const decoder = new TextDecoder();
  const source = 'getReader' in output ? (output as never as AsyncIterable<Uint8Array>) : output;
  const chunks = (source as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  let text = '';
  for (;;) {
    const leaves = [...text.matchAll(/leaf (\d+)\n/g)].map((match) => Number(match[1]));
    if (leaves.length === LEAVES) return leaves;
    const { done, value } = await chunks.next();
    if (done === true) throw new Error(`The benchmark measured something else: only ${leaves.length} leaves started.`);
    text += decoder.decode(value, { stream: true });
  }
}

/** One line for each tree and stop, with the sides beside each other. */
export function treeKillTable(results: readonly TreeKill[]): string {
  const sides = Object.keys(SIDES);
  const cell = ({ goneMs, p90Ms, orphans }: TreeKill): string =>
    orphans > 0 ? `${orphans} left` : `${goneMs?.toFixed(1)} (p90 ${p90Ms?.toFixed(1)})`;
  const rows = [['tree', 'stop', ...sides.map((side) => `${side}, ms`)]];
  for (let at = 0; at < results.length; at += sides.length) {
    const line = results.slice(at, at + sides.length);
    rows.push([line[0]?.tree ?? '', line[0]?.stop ?? '', ...line.map(cell)]);
  }
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((text, at) => text.padEnd(widths[at] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

if (import.meta.url === pathToFileURL(resolve(process.argv[1] ?? '')).href) {
  console.log(treeKillTable(await measureTreeKills()));
}
