import { type Memory, memory, type Notices } from 'runfence/backend';
import { FakeClock, FaultyBackend } from 'runfence/testing';
import { expect, test } from 'vitest';

const FAULTS = { latencyMs: 30, refused: 0.2, broken: 0.2, stalled: 0.2, lost: 0.2, stallMs: 5_000 };

/** Every request appends a stop of its own to the list: what was applied, and how often, can be counted. */
function lists(backend: Pick<FaultyBackend, 'stopEverywhere'>, attempt: number): Promise<unknown> {
  const about = { selector: {}, requester: undefined, reason: 'user', number: undefined } as const;
  return backend.stopEverywhere({ nodeId: 'n', attempt, ...about });
}

/** What became of 200 calls, in the order of the answers. */
async function outcomes(seed: number): Promise<string[]> {
  const clock = new FakeClock();
  const over = memory();
  const backend = new FaultyBackend({ over, faults: { ...FAULTS, seed, clock } });
  const seen: string[] = [];
  for (let attempt = 0; attempt < 200; attempt++) {
    const at = (): string => (clock.monotonic() > 6_000 ? 'late' : 'soon');
    lists(backend, attempt).then(
      () => seen.push(`${attempt} answered ${at()}`),
      (error: Error) => seen.push(`${attempt} ${error.message} ${at()}`),
    );
  }
  await clock.advance(10_000);
  const { stops } = over.readStops() as Awaited<ReturnType<Memory['readStops']>>;
  return [...seen, ...stops.map(({ attempt }) => `${attempt} applied`)];
}

test('the same seed makes the same faults, another one others', async () => {
  const [one, again, other] = [await outcomes(1), await outcomes(1), await outcomes(2)];
  expect(again).toEqual(one);
  expect(other).not.toEqual(one);
});

test('every kind of fault happens, applied and not, and answers come out of order', async () => {
  const seen = await outcomes(3);
  const numberOf = (line: string): number => Number(line.split(' ')[0]);
  const applied = new Set(seen.filter((line) => line.endsWith(' applied')).map(numberOf));
  const count = (what: RegExp, isApplied: boolean): number =>
    seen.filter((line) => what.test(line) && applied.has(numberOf(line)) === isApplied).length;
  expect(count(/answered soon/, true)).toBeGreaterThan(10);
  expect(count(/answered late/, true)).toBeGreaterThan(10);
  expect(count(/refused/, false)).toBeGreaterThan(10);
  expect(count(/refused/, true)).toBe(0);
  expect(count(/reset/, true)).toBeGreaterThan(10);
  const answered = new Set(seen.filter((line) => !line.endsWith(' applied')).map(numberOf));
  const lost = Array.from({ length: 200 }, (_, attempt) => attempt).filter((attempt) => !answered.has(attempt));
  expect(lost.filter((attempt) => applied.has(attempt)).length).toBeGreaterThan(5);
  expect(lost.filter((attempt) => !applied.has(attempt)).length).toBeGreaterThan(5);
  const order = seen.filter((line) => /answered soon/.test(line)).map(numberOf);
  expect(order).not.toEqual([...order].sort((a, b) => a - b));
});

test('a doubled call takes effect again within its stall, after its answer; none is doubled once it is healed', async () => {
  const clock = new FakeClock();
  const over = memory();
  let applied = 0;
  const counting: Memory['stopEverywhere'] = (request) => {
    applied += 1;
    return over.stopEverywhere(request);
  };
  const behind = Object.assign(Object.create(over), { stopEverywhere: counting });
  const faults = { seed: 4, clock, latencyMs: 10, doubled: 0.5, stallMs: 1_000 };
  const backend = new FaultyBackend({ over: behind, faults });
  for (let attempt = 0; attempt < 100; attempt++) void lists(backend, attempt);
  await clock.advance(20);
  expect(applied).toBeLessThan(115);
  await clock.advance(1_100);
  expect(applied).toBeGreaterThan(125);
  expect(applied).toBeLessThan(175);
  backend.heal();
  const before = applied;
  await Promise.all(Array.from({ length: 20 }, (_, attempt) => lists(backend, 1_000 + attempt)));
  await clock.advance(2_000);
  expect(applied).toBe(before + 20);
});

test('notices are lost, late and doubled', async () => {
  const clock = new FakeClock();
  const over = memory();
  const faults = { seed: 5, clock, latencyMs: 10, stallMs: 1_000, lostNotices: 0.3, doubledNotices: 0.3 };
  const backend = new FaultyBackend({ over, faults });
  const heard: number[] = [];
  const notices: Notices = {
    changed: () => {},
    listed: (version) => heard.push(version),
    gap: () => {},
    lost: () => {},
    orphaned: () => {},
  };
  backend.subscribe('elsewhere', notices);
  const direct = {
    stopEverywhere: async (request: Parameters<Memory['stopEverywhere']>[0]) => over.stopEverywhere(request),
  };
  for (let attempt = 0; attempt < 100; attempt++) void lists(direct, attempt);
  expect(heard).toEqual([]);
  await clock.advance(10);
  const early = new Set(heard).size;
  expect(early).toBeGreaterThan(55);
  expect(early).toBeLessThan(90);
  await clock.advance(1_000);
  expect(heard.length).toBeGreaterThan(early + 15);
});
