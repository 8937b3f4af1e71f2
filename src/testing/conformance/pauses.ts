import { strict as assert } from 'node:assert';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { item } from './answers.js';
import { type Bench, lateness } from './bench.js';
import { lacksProcesses, lacksSelfFence, type Scenario } from './scenario.js';

/** Processes that stand still for longer than `staleMs`, and go on. */
export const pauses: readonly Scenario[] = [
  {
    name: 'asleep-replaced: SIGSTOP for longer than stale: others take over; awake, the old one learns its loss at once, harmlessly',
    lacks: lacksProcesses,
    timeoutMs: 60_000,
    run: async (bench) => {
      const key = bench.key();
      const process = await bench.process();
      const owned = await process.own(key);
      process.signal('SIGSTOP');
      const control = await bench.control();
      const grant = await control.locks.acquire(key, { timeoutMs: 10 * bench.staleMs });
      assert.ok(grant.token > owned.token);
      process.signal('SIGCONT');
      await bench.eventually('the old run is lost', () => process.told('lost') !== undefined);
      const { reason, sinceWakeMs } = process.told('lost') ?? { reason: undefined, sinceWakeMs: Number.NaN };
      assert.equal(reason, 'heartbeat-lost');
      // With its next renewal at the latest, which is due before a lease has passed; no gate is open until then.
      assert.ok(sinceWakeMs < bench.staleMs + (await lateness()), `${Math.round(sinceWakeMs)} ms after its first turn`);
      await process.order({ do: 'disown' });
      await process.order({ do: 'close' });
      assert.equal(await process.ended, 0);
      const late = await bench.node();
      assert.equal((await late.holder(key))?.token, grant.token);
      assert.equal((await late.lock(key)).kind, 'busy');
      assert.equal(grant.isHeld(), true);
      grant.release();
    },
  },
  {
    name: 'late-write: a reader that drops records below the highest generation seen drops what a paused process writes late',
    lacks: lacksProcesses,
    timeoutMs: 60_000,
    run: (bench) =>
      withFile(async (file) => {
        const key = bench.key();
        const process = await bench.process();
        const owned = await process.own(key);
        await process.order({ do: 'write', file });
        process.signal('SIGSTOP');
        const node = await bench.node();
        let next = 0;
        await bench.eventually(
          'another generation is granted',
          async () => {
            const answer = await node.claim(key);
            if (answer.kind === 'granted') next = answer.generation;
            return answer.kind === 'granted';
          },
          10 * bench.staleMs,
        );
        assert.ok(next > owned.generation);
        process.signal('SIGCONT');
        await process.order({ do: 'write', file });
        const records = [owned.generation, next, ...(await numbersIn(file)).slice(1)];
        assert.deepEqual(accepted(records), [owned.generation, next]);
      }),
  },
  {
    name: 'stalled-keeps: an event loop that stalls for longer than stale keeps what no one else wanted',
    lacks: lacksProcesses,
    timeoutMs: 60_000,
    run: async (bench) => {
      const key = bench.key();
      const process = await bench.process();
      const owned = await process.own(key);
      await process.order({ do: 'stall', ms: bench.staleMs + 500 });
      await sleep(bench.staleMs / 2);
      assert.equal(process.told('lost'), undefined);
      const node = await bench.node();
      assert.equal((await node.holder(key))?.token, owned.token);
      assert.equal((await node.lock(key)).kind, 'busy');
    },
  },
  {
    name: 'stalled-replaced: one that stalls while somebody waits loses its run and its lock, and no later check of it holds',
    lacks: lacksProcesses,
    timeoutMs: 60_000,
    run: async (bench) => {
      const key = bench.key();
      const process = await bench.process();
      const owned = await process.own(key);
      const stalled = process.order({ do: 'stall', ms: 3 * bench.staleMs });
      const control = await bench.control();
      const grant = await control.locks.acquire(key, { timeoutMs: 10 * bench.staleMs });
      await stalled;
      await bench.eventually('the loss is told', () => process.told('lost') !== undefined);
      const node = await bench.node(process.backend);
      assert.equal(await node.check({ sessionKey: key, ...owned }), false);
      assert.equal(await node.unlock(key, owned.token), false);
      assert.equal(grant.isHeld(), true);
      grant.release();
    },
  },
  {
    name: 'asleep-kept: SIGSTOP for longer than stale, and no contender: awake, the run and its lock go on',
    lacks: lacksProcesses,
    timeoutMs: 60_000,
    run: async (bench) => {
      const key = bench.key();
      const process = await bench.process();
      const owned = await process.own(key);
      const observer = await bench.node();
      await observer.granted(bench.key());
      process.signal('SIGSTOP');
      await sleep(bench.staleMs + 500);
      process.signal('SIGCONT');
      await sleep(bench.staleMs / 2);
      assert.equal(process.told('lost'), undefined);
      assert.equal(await observer.check({ sessionKey: key, ...owned }, owned.token), true);
      await process.order({ do: 'disown' });
      await bench.eventually('it gives all back', async () => {
        const { runs, holder } = await observer.session(key);
        return runs.length === 0 && holder === undefined;
      });
    },
  },
  ...(['user', 'superseded'] as const).map(
    (reason): Scenario => ({
      name: `asleep-${reason}: a run that was ${reason === 'user' ? 'stopped' : 'taken over'} while its process stood still finds that on waking, and no loss`,
      lacks: lacksProcesses,
      timeoutMs: 60_000,
      run: (bench) => endedAsleep(bench, reason),
    }),
  ),
  {
    name: 'deadline-is-own: a node whose lease has ended knows it by itself in the tick in which it wakes, and renews it',
    lacks: lacksSelfFence,
    timeoutMs: 60_000,
    run: async (bench) => {
      const process = await bench.process();
      const owned = await process.own(bench.key());
      const alive = (): Promise<number> => process.order({ do: 'alive' }) as Promise<number>;
      await bench.eventually('its lease runs', async () => (await alive()) > 0);
      const onWaking = (await process.order({ do: 'stall', ms: bench.staleMs + 500 })) as number;
      assert.ok(onWaking <= 0, `closed on waking, not open for ${onWaking} ms`);
      await bench.eventually('its lease runs again', async () => (await alive()) > 0);
      assert.equal(process.told('lost'), undefined);
      assert.ok(owned.token > 0);
    },
  },
  {
    name: 'storm: SIGKILL and SIGSTOP longer than stale, over and over: no token twice, none late but of who was paused',
    lacks: lacksProcesses,
    timeoutMs: 120_000,
    run: (bench) => withFile((file) => storm(bench, file)),
  },
];

/** What was recorded while it stood still is its outcome, though its lease has ended meanwhile. */
async function endedAsleep(bench: Bench, reason: 'user' | 'superseded'): Promise<void> {
  const key = bench.key();
  const process = await bench.process();
  const owned = await process.own(key);
  process.signal('SIGSTOP');
  await sleep(bench.staleMs + 500);
  const node = await bench.node();
  const run = { sessionKey: key, ...owned };
  if (reason === 'user') await node.stop(key, [item(run)], { reason });
  else await node.granted(key, { replaces: [item(run)] });
  process.signal('SIGCONT');
  await bench.eventually('the run is cut', () => process.told('lost') !== undefined);
  assert.equal(process.told('lost')?.reason, reason);
  await process.order({ do: 'disown' });
  await bench.eventually('it has ended', async () => (await node.run(owned.runId, key))?.status !== 'stopping');
  const stored = await node.run(owned.runId, key);
  assert.ok(stored === undefined || stored.reason === reason);
}

async function storm(bench: Bench, file: string): Promise<void> {
  const key = bench.key();
  const paused = new Set<string>();
  const start = async (): Promise<Awaited<ReturnType<Bench['process']>>> => {
    const process = await bench.process();
    process.order({ do: 'journal', sessionKey: key, nodeId: process.name, file }).catch(() => {});
    return process;
  };
  const processes = await Promise.all(Array.from({ length: 4 }, start));
  const end = performance.now() + bench.rounds(20) * 1_000;
  for (let turn = 0; performance.now() < end; turn++) {
    await sleep(200 + bench.random.below(400));
    const at = bench.random.below(processes.length);
    const victim = processes[at];
    if (turn % 3 === 2) {
      paused.add(victim?.name ?? '');
      victim?.signal('SIGSTOP');
      await sleep(bench.staleMs + 500);
      victim?.signal('SIGCONT');
    } else {
      await victim?.kill();
      processes[at] = await start();
    }
  }
  for (const process of processes) await process.kill();
  const records = (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  const tokens = records.map(([token]) => Number(token));
  assert.ok(tokens.length > 10, `${tokens.length} grants`);
  assert.equal(new Set(tokens).size, tokens.length, 'no token was granted twice');
  let highest = 0;
  for (const [token, node] of records) {
    if (Number(token) < highest) assert.ok(paused.has(node ?? ''), `a late record of ${node}, which never stood still`);
    highest = Math.max(highest, Number(token));
  }
}

/** The reader's rule: a record with a lower number than one that was already read does not count. */
function accepted(numbers: readonly number[]): number[] {
  let highest = 0;
  return numbers.filter((number) => {
    const counts = number >= highest;
    highest = Math.max(highest, number);
    return counts;
  });
}

async function numbersIn(file: string): Promise<number[]> {
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  return lines.map((line) => Number(line.split(' ')[0]));
}

async function withFile(use: (file: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'conformance-'));
  try {
    await use(join(dir, 'journal'));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
