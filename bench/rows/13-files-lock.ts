import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import lockfile from 'proper-lockfile';
import { createRunControl } from 'runfence';
import type { ClaimRequest } from 'runfence/backend';
import { files } from 'runfence/files';
import { absolute, type Figure, percentiles, ratio } from '../harness/figure.js';
import { type Bench, check, type Row } from '../harness/row.js';
import { quantile } from '../harness/statistics.js';

const SESSIONS = 5_000;
/** Records that are no longer the newest are removed half a second later. */
const TIDY_MS = 1_500;

interface Place {
  readonly name: string;
  readonly path: string;
}

const disk: Place = { name: 'on disk', path: tmpdir() };
const memory: Place = { name: 'in memory', path: '/dev/shm' };
const places: readonly Place[] = existsSync(memory.path) ? [memory, disk] : [disk];
/** What a disk adds for its own journal says more of the disk than of us: the budget holds where there is none. */
const judged = places[0] as Place;

async function inFolder<T>({ path }: Place, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(path, 'runfence-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** In ns of the wall clock: most of it is the kernel's, some of it in other threads. */
async function timed(act: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint();
  await act();
  return Number(process.hrtime.bigint() - start);
}

/** A lock and its unlock. */
function locks(bench: Bench, place: Place): Promise<Figure[]> {
  return inFolder(place, async (folder) => {
    const backend = files({ dir: join(folder, 'store'), durable: false });
    const request = { sessionKey: 's', nodeId: 'bench', run: undefined, reserved: undefined } as const;
    let attempt = 0;
    let seen = 0;
    const ours = async (): Promise<void> => {
      attempt += 1;
      const answer = await backend.lock({ ...request, attempt, seen, since: Date.now() });
      check(answer.kind === 'granted', 'a lock that is granted');
      const { token, version } = answer;
      ({ version: seen } = await backend.unlock({ sessionKey: 's', nodeId: 'bench', token, seen: version }));
    };
    const theirs = async (): Promise<void> => {
      const release = await lockfile.lock(join(folder, 'plain'), { realpath: false });
      await release();
    };
    const side = (name: string, act: () => Promise<void>, into: number[]) => ({
      name,
      batch: async (operations: number) => {
        const own: number[] = [];
        for (let i = 0; i < operations; i++) own.push(await timed(act));
        into.push(...own);
        return quantile(own, 0.5) * operations;
      },
    });
    const all = { ours: [] as number[], theirs: [] as number[] };
    const [fence, peer] = await bench.compare([
      side('runfence', ours, all.ours),
      side('proper-lockfile', theirs, all.theirs),
    ]);
    await backend.close();
    const slowest = (name: string, values: readonly number[]) => ({ name, values: [quantile(values, 0.99)] });
    return [
      ratio(place.name, fence, peer, place === judged ? { budget: 1.8, stretch: 1.3 } : {}),
      ratio(`${place.name}, p99`, slowest(fence.name, all.ours), slowest(peer.name, all.theirs)),
    ];
  });
}

function claimOf(sessionKey: string, runId: string, attempt: number, seen: number): ClaimRequest {
  return {
    sessionKey,
    runId,
    nodeId: 'bench',
    isOwnId: false,
    attempt,
    seen,
    kind: 'chat',
    owner: undefined,
    tags: [],
    fingerprint: undefined,
    graceMs: 5_000,
    hasEpilogue: false,
    mode: 'concurrent',
    whenQuiet: false,
    replaces: [],
    beside: [],
    repeats: undefined,
    since: undefined,
    listSince: undefined,
    judged: 0,
  };
}

function claims(bench: Bench, place: Place, durable: boolean): Promise<Figure[]> {
  return inFolder(place, async (dir) => {
    const backend = files({ dir, durable });
    const ns: number[] = [];
    const warmUp = bench.count(20);
    const seen = new Map<string, number>();
    for (let i = -warmUp; i < bench.count(200); i++) {
      const sessionKey = `s${Math.abs(i) % 4}`;
      const claim = claimOf(sessionKey, `r${i}`, i + warmUp + 1, seen.get(sessionKey) ?? 0);
      let generation = 0;
      let version = 0;
      const took = await timed(async () => {
        const answer = await backend.claim(claim);
        check(answer.kind === 'granted', 'a claim that is granted');
        ({ generation, version } = answer);
      });
      if (i >= 0) ns.push(took);
      const { runId, nodeId } = claim;
      const over = { status: 'completed', reason: undefined, report: undefined, retain: false } as const;
      const ended = await backend.end({ sessionKey, runId, nodeId, generation, seen: version, ...over });
      seen.set(sessionKey, ended.version);
    }
    await backend.close();
    return percentiles(
      `a claim ${durable ? 'with' : 'without'} fsync, ${place.name}`,
      'us',
      ns.map((value) => value / 1e3),
    );
  });
}

function filesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory()).length;
}

/** Many sessions that are active at once, and what is left of them on the disk. */
function manySessions(bench: Bench, place: Place): Promise<Figure[]> {
  return inFolder(place, async (dir) => {
    const count = bench.count(SESSIONS);
    const control = createRunControl({
      backend: files({ dir, durable: false }),
      defaults: { backendTimeoutMs: 60_000 },
      retention: { max: 0 },
    });
    bench.note(`${count} sessions begin`);
    const begin = async (i: number) => {
      const begun = await control.runs.begin({ sessionKey: `session ${i}` });
      check(begun.status === 'started', 'a run that starts');
      return begun.run;
    };
    let runs: Awaited<ReturnType<typeof begin>>[] = [];
    const begunNs = await timed(async () => {
      runs = await Promise.all(Array.from({ length: count }, (_, i) => begin(i)));
    });
    await sleep(TIDY_MS);
    const live = filesIn(dir);
    bench.note(`${count} sessions end`);
    const endedNs = await timed(async () => {
      for (const run of runs) run.complete();
      await control.drain();
    });
    // Tidying up ends with its backend: the next one that looks into a folder goes on with it.
    const next = files({ dir, durable: false });
    await next.claim(claimOf('last', 'last', 1, 0));
    await sleep(TIDY_MS);
    await next.close();
    const left = filesIn(dir);
    return [
      absolute(`${count} sessions at once, begun`, 'ms', [begunNs / 1e6]),
      absolute(`${count} sessions at once, ended`, 'ms', [endedNs / 1e6]),
      absolute('files while they are active', '', [live]),
      absolute('files after their release', '', [left]),
    ];
  });
}

export const row: Row = {
  title: 'a lock in files, between processes',
  measure: async (bench) => {
    const figures: Figure[] = [];
    for (const place of places) figures.push(...(await locks(bench, place)));
    for (const place of places) {
      for (const durable of [false, true]) figures.push(...(await claims(bench, place, durable)));
    }
    figures.push(...(await manySessions(bench, judged)));
    return figures;
  },
};
