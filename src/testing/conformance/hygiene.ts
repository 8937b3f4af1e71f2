import { strict as assert } from 'node:assert';
import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Bench } from './bench.js';
import type { TestNode } from './node.js';
import type { ConformanceOptions } from './options.js';
import { lacksProcesses, type Scenario } from './scenario.js';

const HOUR_MS = 3_600_000;
const MAX_PER_SESSION = 4;
const MAX_GROWTH_BYTES = 3_000_000;

/** A session from its first claim to its last trace. */
async function cycle(node: TestNode, sessionKey: string): Promise<void> {
  const run = await node.granted(sessionKey);
  const token = await node.locked(sessionKey, run);
  await node.unlock(sessionKey, token);
  await node.ended(run);
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  gc();
  gc();
  return process.memoryUsage().heapUsed;
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name.startsWith('FS')).length;
}

/** Whatever the wall clock says, it decides nothing. */
async function withWallClock(ms: number, act: () => Promise<void>): Promise<void> {
  const { now } = Date;
  Date.now = () => now() + ms;
  try {
    await act();
  } finally {
    Date.now = now;
  }
}

async function staysBusy(bench: Bench, node: TestNode, key: string): Promise<void> {
  const ms = typeof bench.options.processes !== 'object' ? 0 : bench.staleMs + 500;
  const end = performance.now() + ms;
  do {
    assert.equal((await node.lock(key)).kind, 'busy');
    assert.equal((await node.claim(key)).kind, 'busy');
    await new Promise((resolve) => setTimeout(resolve, 20));
  } while (performance.now() < end);
}

/** What the wall clock must not do, and what must not be left. */
export const hygiene: readonly Scenario[] = [
  {
    name: 'wall-clock: a wall clock jumps an hour, either way: no one is robbed, and what is given back is free',
    timeoutMs: 60_000,
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      for (const ms of [HOUR_MS, -HOUR_MS]) {
        const key = bench.key();
        const run = await here.granted(key);
        const token = await here.locked(key, run);
        await withWallClock(ms, async () => {
          await staysBusy(bench, there, key);
          assert.equal(await here.check(run), true);
          assert.equal(await here.unlock(key, token), true);
          await here.ended(run);
          await cycle(there, key);
        });
      }
    },
  },
  {
    name: 'wall-clock-of-process: a process whose wall clock is ahead robs no one, and one behind is not wedged by the dead',
    lacks: lacksProcesses,
    timeoutMs: 60_000,
    run: async (bench) => {
      const here = await bench.node();
      const key = bench.key();
      await here.locked(key, await here.granted(key));
      const ahead = await bench.process();
      await ahead.order({ do: 'wall', ms: HOUR_MS });
      await staysBusy(bench, await bench.node(ahead.backend), key);

      const [dead, behind] = [await bench.process(), await bench.process()];
      const left = bench.key();
      const gone = await bench.node(dead.backend);
      await gone.locked(left, await gone.granted(left));
      await behind.order({ do: 'wall', ms: -HOUR_MS });
      dead.signal('SIGSTOP');
      const next = await bench.node(behind.backend);
      const granted = async (): Promise<boolean> => (await next.lock(left)).kind === 'granted';
      await bench.eventually('the paused one is replaced', granted);
    },
  },
  {
    name: 'heap: 100 000 claims, locks and ends: the heap is flat',
    timeoutMs: 240_000,
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const rounds = bench.rounds(100_000);
      for (let round = 0; round < Math.min(rounds, 2_000); round++)
        await cycle(node, round % 2 ? key : `${key}-${round}`);
      const before = heapUsed();
      for (let round = 0; round < rounds; round++) await cycle(node, round % 2 ? key : `${key}-${round}`);
      const growth = heapUsed() - before;
      assert.ok(growth < MAX_GROWTH_BYTES, `${growth} bytes more after ${rounds} rounds`);
    },
  },
  {
    name: 'nothing-left: callers’ signals have no listener left, and no timer is left when all is closed',
    run: async (bench) => {
      const before = timers();
      const control = await bench.control();
      const caller = new AbortController();
      const key = bench.key();
      for (let round = 0; round < bench.rounds(200); round++) {
        const run = await bench.begin(control, { sessionKey: key, signal: caller.signal });
        const grant = await control.locks.acquire(key, { holder: run, signal: caller.signal });
        grant.release();
        run.complete();
      }
      await bench.eventually('no listener is left', () => getEventListeners(caller.signal, 'abort').length === 0);
      await bench.closeAll();
      await bench.eventually('no timer is left', () => timers() <= before);
    },
  },
  {
    name: 'footprint: a session takes at most 4 things in the store, and what it took does not grow with its use',
    lacks: ({ countsFootprint }: ConformanceOptions) =>
      countsFootprint === true ? undefined : 'what its store holds is not counted (no footprint)',
    timeoutMs: 90_000,
    run: async (bench) => {
      const node = await bench.node();
      const count = async (): Promise<number> => (await (await bench.store()).footprint?.()) as number;
      const use = async (): Promise<void> => {
        for (let session = 0; session < 1_000; session++) await cycle(node, bench.key());
      };
      await use();
      const before = await count();
      await use();
      const hasNotGrown = async (): Promise<boolean> => (await count()) <= before * 1.1;
      await bench.eventually('a thousand more sessions have left nothing', hasNotGrown);
      const runs = await Promise.all(Array.from({ length: 40 }, () => node.granted(bench.key())));
      for (const run of runs) await node.locked(run.sessionKey, run);
      const isSmall = async (): Promise<boolean> => (await count()) <= before * 1.1 + MAX_PER_SESSION * runs.length;
      await bench.eventually('a live session takes little', isSmall);
    },
  },
  {
    name: 'process-ends: a process that has closed its backend ends by itself; importing it has added no signal listener',
    lacks: lacksProcesses,
    run: async (bench) => {
      const process = await bench.process();
      assert.equal(process.told('ready')?.signalListeners, 0);
      const key = bench.key();
      await process.own(key);
      await process.order({ do: 'close' });
      assert.equal(await process.ended, 0);
      await cycle(await bench.node(), key);
    },
  },
];
