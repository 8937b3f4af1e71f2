import { Mutex } from 'async-mutex';
import { Effect, FiberMap } from 'effect';
import pLimit, { type LimitFunction } from 'p-limit';
import { createRunControl } from 'runfence';
import { ratio } from '../harness/figure.js';
import { check, type Row } from '../harness/row.js';
import { keyAt, keys, NO_RETENTION } from '../harness/sessions.js';

const work = async (): Promise<void> => {};

export const row: Row = {
  title: 'control.run of empty work, retention off',
  measure: async (bench) => {
    const control = createRunControl({ retention: NO_RETENTION });
    const limits = new Map<string, LimitFunction>(keys.map((key) => [key, pLimit(1)]));
    const mutexes = new Map<string, Mutex>(keys.map((key) => [key, new Mutex()]));

    const runfence = async (operations: number): Promise<void> => {
      for (let i = 0; i < operations; i++) {
        const { status } = await control.run({ sessionKey: keyAt(i) }, work);
        check(status === 'completed', 'work that completes');
      }
    };
    const limited = async (operations: number): Promise<void> => {
      for (let i = 0; i < operations; i++) {
        await (limits.get(keyAt(i)) as LimitFunction)(work);
      }
    };
    const locked = async (operations: number): Promise<void> => {
      for (let i = 0; i < operations; i++) {
        const release = await (mutexes.get(keyAt(i)) as Mutex).acquire();
        try {
          await work();
        } finally {
          release();
        }
      }
    };
    // As the others: called from a handler that is no Effect, and with the same work.
    const effect = Effect.promise(work);
    const forked = (operations: number): Promise<void> =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const fork = yield* FiberMap.makeRuntimePromise<never, string, void>();
            yield* Effect.promise(async () => {
              for (let i = 0; i < operations; i++) await fork(keyAt(i), effect);
            });
          }),
        ),
      );

    const [ours, limit, mutex, fiber] = await bench.compare([
      { name: 'runfence', batch: runfence },
      { name: 'p-limit, one a session', batch: limited },
      { name: 'async-mutex, one a session', batch: locked },
      { name: 'Effect FiberMap', batch: forked },
    ]);
    return [
      ratio('against p-limit', ours, limit, { budget: 1, stretch: 0.6 }),
      ratio('against async-mutex', ours, mutex, { budget: 0.7, stretch: 0.3 }),
      ratio('against FiberMap', ours, fiber, { budget: 0.6, stretch: 0.3 }),
    ];
  },
};
