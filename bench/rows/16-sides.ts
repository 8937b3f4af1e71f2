import { type ChildProcess, spawn as spawnChild } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { execa } from 'execa';
import { createRunControl } from 'runfence';
import { spawn } from 'runfence/process';
import treeKill from 'tree-kill';
import { check } from '../harness/row.js';

export const GRACE_MS = 100;

const LEAF = `sh -c 'echo leaf $$; exec sleep 60'`;
const DEAF_LEAF = `sh -c 'trap "" TERM; echo leaf $$; i=0; while [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done'`;
const LEAVES = 2;

export const trees = {
  plain: `${LEAF} & ${LEAF} & wait`,
  'TERM trapped': `${DEAF_LEAF} & ${LEAF} & wait`,
  'own session': `setsid ${LEAF} & ${LEAF} & wait`,
  'own session, reparented': `(setsid ${LEAF} &); ${LEAF} & wait`,
  'own session, reparented, TERM trapped': `(setsid ${DEAF_LEAF} &); ${LEAF} & wait`,
} as const;

/** At once, or first asked and then given its grace. */
export type Stop = 'KILL' | 'TERM';

export interface Started {
  /** The first process and the leaves. */
  readonly pids: readonly number[];
  /** May resolve later than all of it is gone: what is started for it must not disturb the next. */
  stop(): unknown;
  end(): Promise<unknown>;
}

type Start = (script: string, stop: Stop) => Promise<Started>;

export const runfence: Start = async (script, stop) => {
  const control = createRunControl();
  const begun = control.runs.beginSync({ sessionKey: 'bench' });
  check(begun.status === 'started', 'a run that starts');
  const { run } = begun;
  const child = await spawn(run, 'sh', ['-c', script], { graceMs: stop === 'KILL' ? 0 : GRACE_MS });
  const end = async (): Promise<void> => {
    run.complete();
    await control.drain();
  };
  return { pids: [child.pid, ...(await leavesOf(child.stdout))], stop: () => control.abort('all'), end };
};

export const peers = {
  async execa(script, stop) {
    const child = execa('sh', ['-c', script], { reject: false, buffer: false, forceKillAfterDelay: GRACE_MS });
    const pids = [child.pid as number, ...(await leavesOf(child.stdout))];
    const end = async (): Promise<unknown> => child.stdout.destroy();
    return { pids, stop: () => child.kill(stop === 'KILL' ? 'SIGKILL' : 'SIGTERM'), end };
  },

  // It has no ladder: the second call is how its users write one.
  async 'tree-kill'(script, stop) {
    const { pids, end } = await plainChild(script, false);
    const [pid] = pids;
    return { pids, stop: () => ladder(stop, (signal) => killTree(pid, signal)), end };
  },

  async 'its group'(script, stop) {
    const { pids, end } = await plainChild(script, true);
    const [pid] = pids;
    return { pids, stop: () => ladder(stop, (name) => signal(-pid, name)), end };
  },
} satisfies Record<string, Start>;

export type Peer = keyof typeof peers;

const killTree = promisify<number, string, void>(treeKill);

async function ladder(stop: Stop, send: (signal: NodeJS.Signals) => unknown): Promise<void> {
  if (stop === 'TERM') {
    await Promise.all([send('SIGTERM'), sleep(GRACE_MS)]);
  }
  await send('SIGKILL');
}

async function plainChild(script: string, detached: boolean) {
  const child: ChildProcess = spawnChild('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'], detached });
  const stdout = child.stdout as Readable;
  const pids = [child.pid as number, ...(await leavesOf(stdout))] as const;
  return { pids, end: async () => stdout.destroy() };
}

/** A negative pid is a group. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Nobody is there any more.
  }
}

/** Runs, and is no zombie: looked at by itself, so that nobody's word is taken for it. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Reads until the leaves have told their pids. */
async function leavesOf(output: AsyncIterable<Uint8Array>): Promise<number[]> {
  const decoder = new TextDecoder();
  const chunks = output[Symbol.asyncIterator]();
  let text = '';
  for (;;) {
    const leaves = [...text.matchAll(/leaf (\d+)\n/g)].map((match) => Number(match[1]));
    if (leaves.length === LEAVES) return leaves;
    const { done, value } = await chunks.next();
    check(done !== true, 'leaves that start');
    text += decoder.decode(value, { stream: true });
  }
}
