import { strict as assert } from 'node:assert';
import { assertRising, item } from './answers.js';
import type { Bench } from './bench.js';
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

function assertDistinct(numbers: readonly number[]): void {
  assert.equal(new Set(numbers).size, numbers.length, 'no number was handed out twice');
}

/** Every number of a session is new, whatever happens. */
export const generations: readonly Scenario[] = [
  {
    name: 'generation-rises: the first generation is at least 1, the next is greater',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const numbers: number[] = [];
      for (let turn = 0; turn < 5; turn++) {
        const run = await node.granted(key);
        numbers.push(run.generation);
        await node.end(run);
      }
      assertRising(numbers);
    },
  },
  {
    name: 'generation-once: 200 claims of two nodes at once get 200 generations',
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
    name: 'takeovers-at-once: of 200 takeovers at once each gets a higher generation than the one before, and one is current',
    run: async (bench) => {
      const control = await bench.control();
      const key = bench.key();
      const started: number[] = [];
      control.on('run:started', ({ run }) => started.push(run.generation));
      const begun = await Promise.all(Array.from({ length: 200 }, () => control.runs.begin({ sessionKey: key })));
      assertRising(started);
      assert.equal(control.runs.session(key).activeRunIds.length, 1);
      for (const begin of begun) if (begin.status === 'started') begin.run.complete();
    },
  },
  {
    name: 'generation-once-across-processes: 6 processes with 500 claims each: no number twice',
    lacks: lacksProcesses,
    timeoutMs: 120_000,
    run: async (bench) => {
      const processes = await Promise.all(Array.from({ length: 6 }, () => bench.process()));
      const key = bench.key();
      const times = bench.rounds(500);
      await Promise.all(
        processes.map((process) => process.order({ do: 'bump', sessionKey: key, nodeId: process.name, times })),
      );
      for (const { numbers } of processes) assertRising(numbers);
      const all = processes.flatMap(({ numbers }) => numbers);
      assert.equal(all.length, 6 * times);
      assertDistinct(all);
    },
  },
  {
    name: 'generation-once-across-kills: processes are killed while they claim: no number comes twice, and none is in the way for long',
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
        await bench.eventually('both claim', () => processes.every(({ numbers }) => numbers.length > 0));
        for (const process of processes) {
          await new Promise((resolve) => setTimeout(resolve, bench.random.below(40)));
          await process.kill();
        }
        await Promise.all(bumps);
        all.push(...processes.flatMap(({ numbers }) => numbers));
        const runId = observer.newRunId();
        const next = async (): Promise<boolean> => {
          const answer = await observer.claim(key, { runId });
          if (answer.kind !== 'granted') return false;
          all.push(answer.generation);
          await observer.end({ sessionKey: key, runId, generation: answer.generation });
          return true;
        };
        await bench.eventually('the dead are out of the way', next);
      }
      assertDistinct(all);
      // What a killed process was granted and could not tell is above what was told before.
      assert.equal(all.at(-1), Math.max(...all));
    },
  },
  {
    name: 'one-counter: a number is above every number of the session: generations, tokens, stops, epilogues and versions',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const numbers: number[] = [];
      for (let turn = 0; turn < 3; turn++) {
        const last = node.seenOf(key);
        const run = await node.granted(key);
        const token = await node.locked(key, run);
        const stop = await node.record(key);
        const { epilogues, version } = await node.stop(key, [item(run, { revoke: token, hasEpilogue: true })]);
        const [epilogue] = epilogues;
        assert.ok(epilogue !== undefined);
        assert.ok(run.generation > last, 'a generation is above the last version');
        numbers.push(run.generation, token, stop, epilogue.token);
        assert.ok(version >= epilogue.token, 'a version is not below the numbers that were drawn');
        await node.unlock(key, epilogue.token);
        await node.ended(run, { status: 'aborted' });
        await node.backend.forget({ sessionKey: key, stop });
      }
      assertRising(numbers);
    },
  },
  {
    name: 'forgotten-goes-on: a session that was forgotten does not begin anew',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const numbers: number[] = [];
      for (let turn = 0; turn < 5; turn++) {
        const run = await node.granted(key);
        numbers.push(run.generation);
        await node.ended(run, { retain: true });
        await node.backend.forget({ sessionKey: key, runId: run.runId, generation: run.generation });
      }
      assertRising(numbers);
    },
  },
  {
    name: 'closed-goes-on: a store that all have closed goes on with its numbers',
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
      assertRising(numbers);
    },
  },
  {
    name: 'keys-apart: sessions do not touch each other, whatever their keys look like',
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
    name: 'ids-apart: run ids may look like anything, too',
    run: async (bench) => {
      const node = await bench.node();
      const key = bench.key();
      const ids = STRANGE_KEYS.map((text) => bench.key(text));
      for (const runId of ids) await node.granted(key, { runId, mode: 'concurrent' });
      for (const runId of ids) assert.equal((await node.run(runId))?.runId, runId);
    },
  },
  {
    name: 'numbers-end: past the last safe integer a claim and a lock fail, and change nothing',
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
