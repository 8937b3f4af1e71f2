import { strict as assert } from 'node:assert';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, eventually, lateness } from './bench.js';
import { lacksProcesses, type Scenario } from './scenario.js';

const HEARD_MS = 100;

/** Processes that stand still for longer than `staleMs`, and go on. */
export const pauses: readonly Scenario[] = [
  {
    name: '31. SIGSTOP for longer than stale: others take over; awake, the old one learns its loss at once and harms nobody',
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
      await eventually('the old run is lost', () => process.told('lost') !== undefined);
      const { reason, sinceWakeMs } = process.told('lost') ?? { reason: undefined, sinceWakeMs: Number.NaN };
      assert.equal(reason, 'lock-lost');
      assert.ok(sinceWakeMs < HEARD_MS + (await lateness()), `${Math.round(sinceWakeMs)} ms after its first turn`);
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
    name: '22. a reader that drops records below the highest generation seen drops what a paused process writes late',
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
        await eventually(
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
    name: '32. an event loop that stalls for longer than stale keeps what nobody else wanted',
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
    name: '32. one that stalls while somebody waits loses its run and its lock, and no later check of it holds',
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
      await eventually('the loss is told', () => process.told('lost') !== undefined);
      const node = await bench.node(process.backend);
      assert.equal(await node.check({ sessionKey: key, ...owned }), false);
      assert.equal(await node.unlock(key, owned.token), false);
      assert.equal(grant.isHeld(), true);
      grant.release();
    },
  },
  {
    name: '34. a storm of SIGKILL and of SIGSTOP longer than stale: no token twice, none late but of who was paused',
    lacks: lacksProcesses,
    timeoutMs: 120_000,
    run: (bench) => withFile((file) => storm(bench, file)),
  },
];

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
