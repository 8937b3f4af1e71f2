import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredRun } from '../../backend/index.js';
import { type Bench, promptly } from './bench.js';
import type { TestNode } from './node.js';
import type { TestProcess } from './processes.js';
import { lacksProcesses, type Scenario } from './scenario.js';

/** How long to wait for what comes too late, before it is given up. */
const PATIENCE_MS = 15_000;
const HANDED_OVER_MS = 60;

/** A process that holds a session's run and lock, under a node of its own. */
async function holder(bench: Bench, sessionKey: string): Promise<{ process: TestProcess; node: TestNode }> {
  const process = await bench.process();
  const node = await bench.node(process.backend);
  await node.locked(sessionKey, await node.granted(sessionKey));
  return { process, node };
}

/** Asks until the session is granted to this node, and gives it back. Answers how long that took, in ms. */
async function takeOver(
  bench: Bench,
  node: TestNode,
  sessionKey: string,
  withinMs: number = bench.deadWithinMs + PATIENCE_MS,
): Promise<number> {
  const start = performance.now();
  let token: number | undefined;
  await bench.eventually(
    'the lock is granted',
    async () => {
      const answer = await node.lock(sessionKey);
      if (answer.kind === 'granted') token = answer.token;
      return answer.kind === 'granted';
    },
    withinMs,
  );
  const tookMs = performance.now() - start;
  await node.unlock(sessionKey, token as number);
  const claim = async (): Promise<boolean> => {
    const runId = node.newRunId();
    const answer = await node.claim(sessionKey, { runId });
    if (answer.kind !== 'granted') return false;
    await node.ended({ sessionKey, runId, generation: answer.generation });
    return true;
  };
  await bench.eventually('the session is free', claim, withinMs);
  return tookMs;
}

/** Processes that end without a word. */
export const crashes: readonly Scenario[] = [
  {
    name: 'handed-over: a waiter in another process has the lock within 60 ms of its release',
    lacks: lacksProcesses,
    run: async (bench) => {
      const process = await bench.process();
      const control = await bench.control();
      await promptly(HANDED_OVER_MS, 9, async () => {
        const key = bench.key();
        await process.own(key);
        const waiting = control.locks.acquire(key);
        await sleep(50 + bench.random.below(50));
        const start = performance.now();
        await process.order({ do: 'disown' });
        const grant = await waiting;
        const tookMs = performance.now() - start;
        grant.release();
        return tookMs;
      });
    },
  },
  {
    name: 'killed: SIGKILL of the holder: the next is granted within 200 ms, or within a lease where a death cannot be proven',
    lacks: lacksProcesses,
    timeoutMs: 120_000,
    run: async (bench) => {
      const key = bench.key();
      const node = await bench.node();
      await promptly(bench.deadWithinMs, 3, async () => {
        const { process } = await holder(bench, key);
        await process.kill();
        return takeOver(bench, node, key);
      });
    },
  },
  {
    name: 'killed-anytime: SIGKILL at any moment of the first claim of a process: the session is not wedged',
    lacks: lacksProcesses,
    timeoutMs: 90_000,
    run: async (bench) => {
      const key = bench.key();
      const node = await bench.node();
      for (let turn = 0; turn < bench.rounds(10); turn++) {
        const process = await bench.process();
        const other = await bench.node(process.backend);
        const claim = other.claim(key).catch(() => undefined);
        await sleep(bench.random.below(25));
        await process.kill();
        await claim;
        await takeOver(bench, node, key);
      }
    },
  },
  {
    name: 'terminated: SIGTERM with and without a handler of the host: its exit is as it was, and the next is granted',
    lacks: lacksProcesses,
    run: async (bench) => {
      const key = bench.key();
      const node = await bench.node();
      const plain = await holder(bench, key);
      plain.process.signal('SIGTERM');
      assert.equal(await plain.process.ended, 'SIGTERM');
      await takeOver(bench, node, key);
      const handled = await holder(bench, key);
      await handled.process.order({ do: 'handle-sigterm', exitCode: 7 });
      handled.process.signal('SIGTERM');
      assert.equal(await handled.process.ended, 7);
      await takeOver(bench, node, key);
    },
  },
  {
    name: 'thread-terminated: a worker thread is terminated while it holds: the next is granted once it is stale',
    lacks: lacksProcesses,
    run: async (bench) => {
      const key = bench.key();
      const thread = await bench.thread();
      const held = await bench.node(thread.backend);
      const token = await held.locked(key, await held.granted(key));
      await thread.kill();
      const node = await bench.node();
      await takeOver(bench, node, key, bench.staleMs + PATIENCE_MS);
      assert.ok((await node.locked(key)) > token);
    },
  },
  {
    name: 'recovered-once: what a killed process had is recovered once, when two nodes want it',
    lacks: lacksProcesses,
    run: async (bench) => {
      const keys = Array.from({ length: 10 }, () => bench.key());
      const process = await bench.process();
      const dead = await bench.node(process.backend);
      for (const key of keys) await dead.granted(key);
      const nodes = [await bench.node(), await bench.node()];
      await process.kill();
      for (const key of keys) {
        const granted: string[] = [];
        await Promise.all(
          nodes.map(async (node) => {
            const take = async (): Promise<boolean> => {
              if (granted.length > 0) return true;
              const answer = await node.claim(key);
              if (answer.kind === 'granted') granted.push(node.id);
              return answer.kind === 'granted';
            };
            await bench.eventually('the session is taken', take, bench.deadWithinMs + PATIENCE_MS);
          }),
        );
        assert.equal(granted.length, 1);
      }
    },
  },
  {
    name: 'orphans-told: the runs of a killed process that others have ended are told to a node that listens',
    lacks: lacksProcesses,
    timeoutMs: 60_000,
    run: async (bench) => {
      const key = bench.key();
      const node = await bench.node();
      node.listen();
      const { process, node: dead } = await holder(bench, key);
      await process.kill();
      await takeOver(bench, node, key);
      // The store may have those of other scenarios, too.
      const orphans = (): readonly StoredRun[] =>
        node.heard
          .flatMap((heard) => (heard.notice === 'orphaned' ? heard.runs : []))
          .filter(({ nodeId }) => nodeId === dead.id);
      await bench.eventually('it is told', () => orphans().length > 0);
      for (const { status, reason } of orphans()) assert.deepEqual([status, reason], ['aborted', 'heartbeat-lost']);
    },
  },
];
