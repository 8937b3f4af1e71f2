import { strict as assert } from 'node:assert';
import { type Bench, eventually } from './bench.js';
import { item } from './node.js';
import { lacksDurability, lacksOpenAt, lacksProcesses, type Scenario } from './scenario.js';

const STRANGE_KEYS: readonly string[] = [
  'a/b',
  '../up',
  '..',
  '.',
  'c:\\d',
  '{e}',
  'naïve 🙂 \u{1f468}\u200d\u{1f469}',
  'x'.repeat(1_000),
  'case',
  'CASE',
  'nul\u0000byte',
  'line\nbreak',
  '%2F',
  '__proto__',
];

function assertIncreasing(numbers: readonly number[]): void {
  numbers.forEach((number, at) => {
    assert.ok(Number.isSafeInteger(number) && number >= 1, `${number} is a positive safe integer`);
    const before = numbers[at - 1] ?? 0;
    assert.ok(number > before, `${number} is above ${before}`);
  });
}

function assertDistinct(numbers: readonly number[]): void {
  assert.equal(new Set(numbers).size, numbers.length, 'no number was handed out twice');
}

/** Every number of a session is new, whatever happens. */
export const generations: readonly Scenario[] = [
  {
    name: '1. the first generation is at least 1, the next is greater',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const numbers: number[] = [];
      for (let turn = 0; turn < 5; turn++) {
        const run = await node.granted(key);
        numbers.push(run.generation);
        await node.end(run);
      }
      assertIncreasing(numbers);
    },
  },
  {
    name: '2. 200 claims of two nodes at once get 200 generations',
    run: async (bench) => {
      const nodes = [await bench.node(), await bench.node()];
      const key = bench.key();
      const claims = Array.from({ length: 100 }, () =>
        nodes.map((node) => node.granted(key, { mode: 'concurrent' })),
      ).flat();
      const runs = await Promise.all(claims);
      assertDistinct(runs.map(({ generation }) => generation));
      assert.equal((await nodes[0]?.runsOf(key))?.length, 200);
    },
  },
  {
    name: '2. of 200 takeovers at once each gets a higher generation than the one before, and one is current',
    run: async (bench) => {
      const control = await bench.control();
      const key = bench.key();
      const started: number[] = [];
      control.on('run:started', ({ run }) => started.push(run.generation));
      const begun = await Promise.all(Array.from({ length: 200 }, () => control.runs.begin({ sessionKey: key })));
      assertIncreasing(started);
      assert.equal(control.runs.session(key).activeRunIds.length, 1);
      for (const begin of begun) if (begin.status === 'started') begin.run.complete();
    },
  },
  {
    name: '3. 6 processes with 500 claims each: no number twice',
    lacks: lacksProcesses,
    timeoutMs: 120_000,
    run: async (bench) => {
      const processes = await Promise.all(Array.from({ length: 6 }, () => bench.process()));
      const key = bench.key();
      const times = bench.rounds(500);
      await Promise.all(
        processes.map((process) => process.order({ do: 'bump', sessionKey: key, nodeId: process.name, times })),
      );
      for (const { numbers } of processes) assertIncreasing(numbers);
      const all = processes.flatMap(({ numbers }) => numbers);
      assert.equal(all.length, 6 * times);
      assertDistinct(all);
    },
  },
  {
    name: '4. processes that are killed while they claim: no number twice, and nobody is in the way of the next for long',
    lacks: lacksProcesses,
    timeoutMs: 120_000,
    run: async (bench) => {
      const key = bench.key();
      const observer = await bench.node();
      const all: number[] = [];
      for (let round = 0; round < bench.rounds(8); round++) {
        const processes = await Promise.all([bench.process(), bench.process()]);
        const bumps = processes.map((process) =>
          process
            .order({ do: 'bump', sessionKey: key, nodeId: process.name, times: 10_000 })
            .catch((error: Error) => assert.match(error.message, /ended: SIGKILL/)),
        );
        await eventually('both claim', () => processes.every(({ numbers }) => numbers.length > 0));
        for (const process of processes) {
          await new Promise((resolve) => setTimeout(resolve, bench.random.below(40)));
          await process.kill();
        }
        await Promise.all(bumps);
        all.push(...processes.flatMap(({ numbers }) => numbers));
        const start = performance.now();
        const runId = observer.newRunId();
        await eventually('the dead are out of the way', async () => {
          const answer = await observer.claim(key, { runId });
          if (answer.kind !== 'granted') return false;
          all.push(answer.generation);
          await observer.end({ sessionKey: key, runId, generation: answer.generation });
          return true;
        });
        assert.ok(performance.now() - start < 1_000, 'within a second');
      }
      assertDistinct(all);
      // What a killed process was granted and could not tell is above what was told before.
      assert.equal(all.at(-1), Math.max(...all));
    },
  },
  {
    name: '5. a number is above every number that the session has seen: generations, tokens, stops and epilogues',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const numbers: number[] = [];
      for (let turn = 0; turn < 3; turn++) {
        const run = await node.granted(key);
        const token = await node.locked(key, run);
        const stop = await node.record(key, {
          selector: { sessionKey: key },
          requester: undefined,
          intent: false,
        });
        const { epilogues } = await node.stop(key, [item(run, { revoke: token, epilogue: true })]);
        const [epilogue] = epilogues;
        assert.ok(epilogue !== undefined);
        numbers.push(run.generation, token, stop, epilogue.token);
        await node.unlock(key, epilogue.token);
        await node.end(run, { status: 'aborted' });
        await node.backend.forget({ sessionKey: key, stop });
      }
      assertIncreasing(numbers);
    },
  },
  {
    name: '5. a session that was forgotten does not begin anew',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const numbers: number[] = [];
      for (let turn = 0; turn < 5; turn++) {
        const run = await node.granted(key);
        numbers.push(run.generation);
        await node.end(run, { retain: true });
        await node.backend.forget({ sessionKey: key, runId: run.runId });
      }
      assertIncreasing(numbers);
    },
  },
  {
    name: '5. a store that everybody had closed goes on with its numbers',
    lacks: lacksDurability,
    run: async (bench) => {
      const key = bench.key();
      const numbers: number[] = [];
      for (let turn = 0; turn < 3; turn++) {
        const node = await bench.node();
        const run = await node.granted(key);
        numbers.push(run.generation, await node.locked(key, run));
        await node.unlock(key, numbers.at(-1) as number);
        await node.end(run);
        await bench.closeAll();
      }
      assertIncreasing(numbers);
    },
  },
  {
    name: '6. sessions do not touch each other, whatever their keys look like',
    run: async (bench) => {
      const node = await bench.node();
      const keys = STRANGE_KEYS.map((text) => bench.key(text));
      const same = [`${bench.key()}-case`];
      keys.push(...same, ...same.map((key) => key.toUpperCase()));
      const runs = await Promise.all(keys.map((key) => node.granted(key)));
      const tokens = await Promise.all(runs.map((run) => node.locked(run.sessionKey, run)));
      const [first, ...others] = runs;
      assert.ok(first !== undefined);
      await node.stop(first.sessionKey, [item(first, { revoke: tokens[0] })]);
      assert.equal(await node.check(first), false);
      for (const [at, run] of others.entries()) {
        assert.equal(await node.check(run), true, JSON.stringify(run.sessionKey));
        assert.deepEqual(
          (await node.runsOf(run.sessionKey)).map(({ runId, sessionKey }) => [runId, sessionKey]),
          [[run.runId, run.sessionKey]],
        );
        assert.equal((await node.holder(run.sessionKey))?.token, tokens[at + 1]);
        assert.equal(await node.unlock(first.sessionKey, tokens[at + 1] as number), false);
      }
    },
  },
  {
    name: '6. run ids may look like anything, too',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const ids = STRANGE_KEYS.map((text) => bench.key(text));
      for (const runId of ids) await node.granted(key, { runId, mode: 'concurrent' });
      for (const runId of ids) assert.equal((await node.run(runId))?.runId, runId);
    },
  },
  {
    name: '7. past the last safe integer a claim and a lock fail, and change nothing',
    lacks: lacksOpenAt,
    run: (bench) => exhausted(bench),
  },
];

async function exhausted(bench: Bench): Promise<void> {
  const key = bench.key();
  const { openAt } = bench.options;
  assert.ok(openAt !== undefined);
  await bench.store(() => openAt(key, Number.MAX_SAFE_INTEGER - 1));
  const node = await bench.node();
  const last = await node.granted(key);
  assert.equal(last.generation, Number.MAX_SAFE_INTEGER);
  const isExhausted = (error: { code?: string }): boolean => error.code === 'GENERATION_EXHAUSTED';
  await assert.rejects(node.claim(key, { mode: 'concurrent' }), isExhausted);
  await assert.rejects(node.lock(key, last), isExhausted);
  assert.equal(await node.check(last), true);
  assert.equal(await node.holder(key), undefined);
  assert.deepEqual(
    (await node.runsOf(key)).map(({ runId }) => runId),
    [last.runId],
  );
}
