import type { Run } from 'runfence';
import { memory } from 'runfence/backend';
import { createRunStreams, type StreamItem } from 'runfence/streams';
import { FaultyBackend } from 'runfence/testing';
import { expect, test } from 'vitest';
import { tracked } from '../support/tracked.js';
import { merge, type Part, text } from './support/deltas.js';

/** Numbers from a seed, the same each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const RUNS = Number(process.env.STREAMS_RUNS ?? 60);
const SEED = Number(process.env.STREAMS_SEED ?? Date.now() % 1_000_000);

test(`on a backend that fails, stalls and loses answers every subscriber gets its end, seed ${SEED} (J4)`, async () => {
  const seen = new Map<string, number>();
  for (let round = 0; round < RUNS; round++) {
    const seed = SEED + round;
    const next = numbers(seed);
    const state = memory();
    const { control: first, clock } = tracked({ defaults: { backendTimeoutMs: 500 } });
    void first;
    const faults = {
      seed,
      clock,
      latencyMs: 20,
      refused: 0.1,
      broken: 0.1,
      stalled: 0.05,
      stallMs: 300,
      lost: 0.1,
      doubled: 0.1,
    };
    const backends = [1, 2].map(() => new FaultyBackend({ over: state, scope: 'cluster', faults }));
    const nodes = backends.map((backend) => {
      const { control } = tracked({ backend, retention: { ttlMs: 5_000 } }, clock);
      return { control, streams: createRunStreams<Part>(control, { merge, maxBytes: 2_000 }) };
    });
    const unfinished = new Set<string>();
    const problems: string[] = [];
    const follow = async (source: AsyncIterable<StreamItem<Part>>, name: string): Promise<void> => {
      unfinished.add(name);
      let last: StreamItem<Part> | undefined;
      for await (const item of source) {
        seen.set(item.type, (seen.get(item.type) ?? 0) + 1);
        last = item;
      }
      if (last?.type !== 'end') problems.push(`${name} ended with ${last?.type}`);
      unfinished.delete(name);
    };
    const work: Promise<unknown>[] = [];
    const live = new Set<Run>();
    for (let step = 0; step < 40; step++) {
      const { control, streams } = nodes[next(2)] as (typeof nodes)[number];
      const runId = `r${next(4)}`;
      const what = next(6);
      if (what === 0) {
        const options = {
          sessionKey: `s${next(2)}`,
          runId,
          onDuplicate: 'retry-lost',
          whenBusy: next(2) === 0 ? 'interrupt' : 'enqueue',
          save: () => {},
        } as const;
        work.push(
          control
            .run(options, async (run) => {
              live.add(run);
              for (let at = 0; at < 5; at++) {
                streams.publish(run, text(`${at} `));
                await new Promise((resolve) => run.clock.setTimeout(() => resolve(undefined), 50));
              }
            })
            .catch(() => {}),
        );
      } else if (what === 1)
        work.push(control.abort({ runId }, { reason: next(2) === 0 ? 'user' : 'disconnect' }).catch(() => {}));
      else if (what < 4) {
        const source = streams.subscribe(runId, {
          after: next(2) === 0 ? next(4) : { generation: next(3), seq: next(4) },
        });
        if (source !== undefined) void follow(source, `${seed}-${step}`);
      } else await clock.advance(next(100));
    }
    for (const backend of backends) backend.heal();
    for (const { control } of nodes) void control.abort('all').catch(() => {});
    for (let times = 0; times < 30; times++) await clock.advance(1_000);
    await Promise.all(work);
    for (let times = 0; times < 30; times++) await clock.advance(1_000);
    expect({ seed, problems, unfinished: [...unfinished], usage: nodes.map(({ streams }) => streams.usage) }).toEqual({
      seed,
      problems: [],
      unfinished: [],
      usage: [1, 2].map(() => ({ runs: 0, bytes: 0, subscribers: 0 })),
    });
  }
  process.stdout.write(`streams on faults: ${JSON.stringify(Object.fromEntries(seen))}\n`);
  // Otherwise nothing was looked at.
  for (const type of ['event', 'cut', 'end', 'restart']) expect(seen.get(type) ?? 0).toBeGreaterThan(RUNS / 10);
}, 120_000);
