import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StoreAddress } from '../../support/stores/open.js';
import { bundled } from '../support/processes.js';
import { check, type JournalLine, type Verdict } from './check.js';

export interface StormOptions {
  /** An empty folder. */
  readonly dir: string;
  readonly seconds: number;
  /** Every process with a backend of its own: the checks must find it. */
  readonly sabotage: boolean;
  /** Where the process of each place keeps its sessions; in a folder by default. */
  readonly storeOf?: ((place: number) => StoreAddress) | undefined;
  /** Does something to the store, or to the way of one process to it, over and over. */
  readonly upheaval?: ((place: number) => Promise<Upheaval>) | undefined;
}

/** What was done, and when all processes may have believed in what was lost, by the monotonic clock of the host. */
export interface Upheaval {
  readonly what: string;
  readonly doubt?: { readonly from: number; readonly until: number } | undefined;
}

export interface StormResult extends Verdict {
  readonly kills: number;
  readonly stops: number;
  /** What was done to the store, and how often. */
  readonly upheavals: Readonly<Record<string, number>>;
  readonly errors: readonly string[];
  /** The longest time in which a session granted nothing, in ms: what stood still there was waited for. */
  readonly longestLullMs: number;
}

const PROCESSES = 6;
const SESSIONS = 3;
const STALE_MS = 2_000;
const STOPPED_MS = 2_600;

/** Six processes on three sessions: about one is killed a second, and every four seconds one stands still for longer than stale. */
export async function storm({ dir, seconds, sabotage, storeOf, upheaval }: StormOptions): Promise<StormResult> {
  const journal = join(dir, 'journal');
  mkdirSync(journal);
  const file = await bundled('storm');
  const inFolder: StoreAddress = { kind: 'files', dir: join(dir, 'store'), staleMs: STALE_MS };
  const given = (at: number): string => {
    const store = storeOf?.(at) ?? inFolder;
    return JSON.stringify({ store, journal, sessions: SESSIONS, staleMs: STALE_MS, sabotage });
  };
  const children: ChildProcess[] = [];
  const stopped = new Set<ChildProcess>();
  const exits: string[] = [];
  const start = (at: number): void => {
    const child = spawn(process.execPath, [file, given(at)], { stdio: ['pipe', 'ignore', 'pipe'] });
    child.stderr?.on('data', (data: Buffer) => exits.push(`stderr of ${child.pid}: ${data.toString().slice(0, 500)}`));
    child.stdin?.on('error', () => {});
    children[at] = child;
  };
  for (let at = 0; at < PROCESSES; at++) start(at);
  let kills = 0;
  let stops = 0;
  const upheavals: Upheaval[] = [];
  let isOver = false;
  const rising = (async () => {
    while (!isOver && upheaval !== undefined) {
      await sleep(500 + Math.random() * 1_000);
      if (!isOver) upheavals.push(await upheaval(Math.floor(Math.random() * PROCESSES)));
    }
  })();
  try {
    const until = performance.now() + seconds * 1_000;
    let nextStop = performance.now() + 500;
    while (performance.now() < until) {
      await sleep(550 + Math.random() * 150);
      const awake = children.map((_child, at) => at).filter((at) => !stopped.has(children[at] as ChildProcess));
      const at = awake[Math.floor(Math.random() * awake.length)] ?? 0;
      const child = children[at] as ChildProcess;
      if (performance.now() > nextStop) {
        nextStop = performance.now() + 3_000;
        stops += 1;
        stopped.add(child);
        child.kill('SIGSTOP');
        setTimeout(() => {
          child.kill('SIGCONT');
          stopped.delete(child);
        }, STOPPED_MS);
      } else {
        kills += 1;
        child.kill('SIGKILL');
        await once(child, 'exit');
        start(at);
      }
    }
    isOver = true;
    await rising;
    await sleep(stopped.size > 0 ? STOPPED_MS : 0);
    await Promise.all(
      children.map(async (child) => {
        const exit = once(child, 'exit');
        child.stdin?.end();
        const tooLong = setTimeout(() => child.kill('SIGKILL'), 20_000);
        const [code, signal] = (await exit) as unknown[];
        clearTimeout(tooLong);
        if (code !== 0) exits.push(`${child.pid} ended with ${String(code ?? signal)}`);
      }),
    );
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
  const counts: Record<string, number> = {};
  for (const { what } of upheavals) counts[what] = (counts[what] ?? 0) + 1;
  return { ...judged(journal, exits, upheavals), kills, stops, upheavals: counts };
}

function judged(
  journal: string,
  exits: readonly string[],
  upheavals: readonly Upheaval[],
): Omit<StormResult, 'kills' | 'stops' | 'upheavals'> {
  const all = read(join(journal, 'all'));
  const sessions = readdirSync(journal).filter((name) => name !== 'all');
  const pids = new Set(sessions.flatMap((name) => read(join(journal, name)).map(({ pid }) => pid)));
  // Who believes in what was lost is as one who stood still: the reader, or the store's check of the token, drops what it writes.
  const doubts = upheavals.flatMap(({ doubt }): JournalLine[] =>
    doubt === undefined
      ? []
      : [...pids].map((pid) => ({ what: 'gap', pid, at: doubt.until, ms: doubt.until - doubt.from })),
  );
  const gaps = [...all.filter(({ what }) => what === 'gap'), ...doubts];
  const verdicts = sessions.map((name) => check(name, read(join(journal, name)), gaps));
  const sum = (of: (verdict: Verdict) => number): number => verdicts.reduce((total, one) => total + of(one), 0);
  const lulls = sessions.flatMap((name) => {
    const grants = read(join(journal, name)).filter(({ what }) => what === 'grant');
    return grants.map(({ at }, i) => at - (grants[i - 1]?.at ?? at));
  });
  return {
    grants: sum((verdict) => verdict.grants),
    writes: sum((verdict) => verdict.writes),
    late: sum((verdict) => verdict.late),
    violations: [...verdicts.flatMap(({ violations }) => violations), ...exits],
    errors: all.filter(({ what }) => what === 'error').map(({ text = '' }) => text),
    longestLullMs: Math.round(Math.max(0, ...lulls)),
  };
}

function read(path: string): JournalLine[] {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    // Nobody had anything to write there.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as JournalLine]));
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
