import fc from 'fast-check';
import { expect, test } from 'vitest';
import { World } from './world.js';

const numbers = fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20));
const act = fc.tuple(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant('publish' as const) },
    { weight: 4, arbitrary: fc.constant('read' as const) },
    { weight: 2, arbitrary: fc.constant('begin' as const) },
    { weight: 2, arbitrary: fc.constant('follow' as const) },
    ...(['abort', 'end', 'leave', 'erase', 'stores', 'advance'] as const).map((name) => ({
      weight: 1,
      arbitrary: fc.constant(name),
    })),
  ),
  numbers,
);

async function play(world: World, [name, [one, two, three]]: readonly [string, readonly number[]]): Promise<void> {
  const [a, b, c] = [one ?? 0, two ?? 0, three ?? 0];
  if (name === 'publish') for (let times = 0; times <= b; times++) world.publish(a, c + times);
  else if (name === 'read') world.read(a);
  else if (name === 'begin') await world.begin(a, b % 3 === 0);
  else if (name === 'follow') world.follow(a, b, c);
  else if (name === 'abort') await world.abort(a, b);
  else if (name === 'end') world.end(a, b);
  else if (name === 'leave') await world.leave(a);
  else if (name === 'erase') world.erase();
  else if (name === 'stores') world.openStores();
  else await world.advance(b * 100);
}

test.each([
  ['without limits, every event is delivered', {}],
  ['within limits, what is missing is a gap', { maxEvents: 8, maxBytes: 3_000, totalBytes: 6_000 }],
])(
  'against a list, on random sequences: %s (J1, J2)',
  async (_what, limits) => {
    const property = fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 60 }), async (acts) => {
      const world = new World(limits);
      for (const each of acts) {
        await play(world, each);
        await world.check();
      }
      await world.finish();
      expect(world.problems).toEqual([]);
    });
    const seed = Number(process.env.STREAMS_SEED ?? Date.now() % 2 ** 31);
    process.stdout.write(`streams model: STREAMS_SEED=${seed}\n`);
    await fc.assert(property, {
      numRuns: Number(process.env.STREAMS_RUNS ?? 1_000),
      seed,
      interruptAfterTimeLimit: 60_000,
      markInterruptAsFailure: true,
    });
  },
  120_000,
);
