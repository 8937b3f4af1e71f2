import { strict as assert } from 'node:assert';
import type { Answered, Snapshot } from '../../backend/index.js';
import { answered, item, REPORT, recordOf } from './answers.js';
import type { TestNode } from './node.js';
import type { Scenario } from './scenario.js';

/** A version says how new a record is: it moves with every change, and with nothing else. */
export const versions: readonly Scenario[] = [
  {
    name: 'version-moves: every change of a record moves its version',
    run: async (bench) => {
      const [node, observer] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const moves = async <T>(what: string, change: () => Promise<T>): Promise<T> => {
        const before = (await observer.session(key)).version;
        const value = await change();
        const { version } = await observer.session(key);
        assert.ok(version > before, `${what} moves the version`);
        assert.ok(version >= node.seenOf(key), 'no answer was ahead of the record');
        return value;
      };
      const run = await moves('a claim', () => node.granted(key));
      const token = await moves('a grant', () => node.locked(key, run));
      await moves('an unlock', () => node.unlock(key, token));
      await moves('an announcement', () => node.announce(run));
      await moves('a stop that is kept', () => node.record(key));
      const { epilogues } = await moves('a stop that marks', () => node.stop(key, [item(run)]));
      const reserved = epilogues[0]?.token as number;
      await moves('the grant of an epilogue', () => node.locked(key, run, { reserved }));
      await moves('a report', () => node.announce(run, { hasEpilogue: false, report: REPORT }));
      await moves('the unlock of an epilogue', () => node.unlock(key, reserved));
      await moves('an end', () => node.ended(run, { status: 'aborted' }));
      const last = await moves('a claim with an epilogue', () => node.granted(key, { hasEpilogue: true }));
      const next = await moves('a takeover', () => node.granted(key, { replaces: [item(last)] }));
      const dropped = next.epilogues[0]?.token as number;
      await moves('a reservation that is given back', () => node.unlock(key, dropped));
      const bare = await moves('a claim beside it', () => node.granted(key, { mode: 'concurrent' }));
      await moves('a stop that only marks', () => node.stop(key, [item(bare)]));
    },
  },
  {
    name: 'version-stays: what changes nothing leaves the version as it is',
    run: async (bench) => {
      const [node, other] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await node.granted(key);
      const token = await node.locked(key, run);
      const { version } = await node.session(key);
      const stays = async (what: string, act: () => Promise<unknown>): Promise<void> => {
        await act();
        assert.equal((await other.session(key)).version, version, what);
      };
      await stays('a claim that is busy', () => other.claim(key));
      await stays('a probe', () => other.claim(key, { mode: 'probe' }));
      await stays('a duplicate', () => other.claim(key, { runId: run.runId }));
      await stays('a lock that is busy', () => other.lock(key));
      await stays('a lock that is stale', () => other.lock(key, { ...run, runId: other.newRunId() }));
      await stays('a token that is not held', () => other.unlock(key, token + 1_000));
      await stays('a stop that finds nothing', () => other.stop(key, [item({ ...run, generation: 1_000_000 })]));
      await stays('an end of another generation', () => other.end({ ...run, generation: run.generation + 1 }));
      await stays('an announcement that is stale', () => other.announce({ ...run, generation: run.generation + 1 }));
      await stays('a check', () => other.check(run, token));
      await stays('reads', () => Promise.all([other.run(run.runId, key), other.backend.readNode(node.id)]));
    },
  },
  {
    name: 'version-of-absent: a record that is not there is not older than anything that was answered for its session',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      for (let turn = 0; turn < 3; turn++) {
        const run = await here.granted(key);
        const token = await here.locked(key, run);
        await here.unlock(key, token);
        const stop = await here.record(key);
        await here.ended(run, { retain: true });
        await here.backend.forget({ sessionKey: key, stop });
        await here.backend.forget({ sessionKey: key, runId: run.runId, generation: run.generation });
        const { version } = await there.session(key);
        assert.ok(version >= here.seenOf(key), 'not below the last answer');
        assert.ok(version >= Math.max(run.generation, token, stop), 'not below any number');
      }
    },
  },
  {
    name: 'version-of-others: what is done in one session moves the version of no other, and no stop of all does',
    run: async (bench) => {
      const [node, other] = [await bench.node(), await bench.node()];
      const key = bench.key();
      await node.granted(key);
      const { version } = await node.session(key);
      await other.granted(bench.key());
      const listed = await other.list();
      assert.equal((await node.session(key)).version, version);
      await other.backend.forget({ listed });
      assert.equal((await node.session(key)).version, version);
    },
  },
  {
    name: 'record-unless-seen: an answer carries the record if it was newer than what its node has seen',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      const seen = here.seenOf(key);
      const other = await there.granted(key, { mode: 'concurrent' });
      const token = await there.locked(key, other);
      const answers: readonly [string, () => Promise<Answered>][] = [
        ['granted', () => here.claim(key, { mode: 'concurrent', seen })],
        ['a duplicate', () => here.claim(key, { runId: other.runId, seen })],
        ['a stop', () => here.stop(key, [item({ ...run, generation: 1_000_000 })], { seen })],
        ['an end', () => here.end({ ...run, generation: run.generation + 1 }, { seen })],
        ['an announcement', () => here.announce({ ...run, generation: run.generation + 1 }, { seen })],
        ['a stale lock', () => here.lock(key, { ...run, generation: run.generation + 1 }, { seen })],
        ['a token that is not held', () => answerOf(here, key, token + 1_000, seen)],
        ['a token that is held', () => answerOf(here, key, token, seen)],
      ];
      for (const [what, ask] of answers) {
        const { runs } = recordOf(await ask());
        assert.ok(
          runs.some(({ runId }) => runId === other.runId),
          `${what}: the record shows the other run`,
        );
      }
    },
  },
  {
    name: 'record-of-answer: an answer carries the record as it is after the operation',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const same = async ({ version, snapshot }: Answered): Promise<void> => {
        const record = await there.session(key);
        assert.equal(record.version, version);
        assert.deepEqual(snapshot && undecorated(snapshot), undecorated(record));
      };
      // Of a record that was not there, its node has seen all there was.
      await here.granted(key);
      const run = await here.granted(key, { mode: 'concurrent', tags: ['t'], owner: { userId: 'ada' } });
      await same(run);
      const locked = answered(await here.lock(key, run), 'granted');
      await same(locked);
      await same(await here.announce(run));
      await same(
        await there.stop(key, [], { select: { sessionKey: key }, record: { ...WHOLE, selector: { sessionKey: key } } }),
      );
      await same(await there.lock(key));
      await same(await here.end(run));
      await same(await here.backend.unlock({ sessionKey: key, nodeId: here.id, seen: 0, token: locked.token }));
      await same(await here.end(run, { status: 'aborted' }));
    },
  },
  {
    name: 'record-when-busy: a claim that is busy carries the record, also if its node has seen it',
    run: async (bench) => {
      const [here, there] = [await bench.node(), await bench.node()];
      const key = bench.key();
      const run = await here.granted(key);
      for (const mode of ['exclusive', 'probe'] as const) {
        const { version: seen } = await there.session(key);
        const busy = answered(await there.claim(key, { mode, seen }), 'busy');
        assert.equal(recordOf(busy).runs[0]?.runId, run.runId);
      }
      await here.stop(key, [item(run)]);
      const { version: seen } = await there.session(key);
      const quiet = answered(await there.claim(key, { seen, whenQuiet: true }), 'not-quiet');
      assert.equal(recordOf(quiet).runs[0]?.status, 'stopping');
    },
  },
];

const WHOLE = { requester: undefined, intent: false } as const;

/** Without what a backend may add for display. */
function undecorated({ holder, ...record }: Snapshot): Snapshot {
  if (holder === undefined) return { ...record, holder };
  const { runId, nodeId, token, since, isEpilogue } = holder;
  return { ...record, holder: { runId, nodeId, token, since, isEpilogue } };
}

async function answerOf(node: TestNode, sessionKey: string, token: number, seen: number): Promise<Answered> {
  return node.backend.unlock({ sessionKey, nodeId: node.id, seen, token });
}
