import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Choices } from '../choices.js';
import { type HeapSample, trendOf } from './heap.js';
import { Store } from './store.js';
import { type Figures, HEAP_MARGIN_BYTES, verdictOf } from './verdict.js';

const MIB = 2 ** 20;
const GOOD: Figures = {
  operations: 1_000,
  starts: 500,
  stops: 400,
  writes: 100,
  lateEffects: 0,
  missedCuts: 0,
  endedTwice: 0,
  staleAccepted: 0,
  overlaps: 0,
  tokensReused: 0,
  unquiet: 0,
  held: 0,
  unsettled: 0,
  unexpected: [],
  heap: { startBytes: 10 * MIB, endBytes: 10 * MIB, grownBytes: 0 },
};

describe('the verdict', () => {
  test('of a soak that worked and left nothing is good', () => {
    expect(verdictOf(GOOD)).toEqual([]);
  });

  test.each([
    ['lateEffects', 'late effects'],
    ['missedCuts', 'runs that should have been cut went on'],
    ['endedTwice', 'runs ended twice'],
    ['staleAccepted', 'stale writes were accepted'],
    ['overlaps', 'sections of one session overlapped'],
    ['tokensReused', 'tokens did not rise'],
    ['unquiet', 'runs are not quiet'],
    ['held', 'entries, lanes, locks, stops and timers are left'],
    ['unsettled', 'promises have not settled'],
  ] as const)('is bad for one %s', (name, says) => {
    expect(verdictOf({ ...GOOD, [name]: 1 })).toEqual([`1 ${says}`]);
  });

  test.each(['operations', 'starts', 'stops', 'writes'] as const)('is bad for no %s at all', (name) => {
    expect(verdictOf({ ...GOOD, [name]: 0 })).toEqual([expect.stringContaining('nothing was tested')]);
  });

  test('names every unexpected error', () => {
    expect(verdictOf({ ...GOOD, unexpected: ['run: TypeError: x'] })).toEqual(['unexpected: run: TypeError: x']);
  });

  test('is bad for a heap whose trend is above the margin, and for one that is no number', () => {
    const withTrend = (grownBytes: number): string[] => verdictOf({ ...GOOD, heap: { ...GOOD.heap, grownBytes } });
    expect(withTrend(HEAP_MARGIN_BYTES)).toEqual([]);
    expect(withTrend(HEAP_MARGIN_BYTES + MIB)).toHaveLength(1);
    expect(withTrend(Number.NaN)).toHaveLength(1);
  });
});

describe('the trend of a heap', () => {
  const series = (bytesAt: (index: number) => number): HeapSample[] =>
    Array.from({ length: 21 }, (_, index) => ({ atMs: index * 100, bytes: bytesAt(index) }));

  test('is what a steady leak has added', () => {
    expect(trendOf(series((index) => 10 * MIB + index * MIB)).grownBytes).toBeCloseTo(20 * MIB);
  });

  test('is flat for a heap that only swings, also when the last sample is high', () => {
    const { grownBytes, endBytes } = trendOf(series((index) => (10 + (index % 2) + (index === 20 ? 2 : 0)) * MIB));
    expect(grownBytes).toBeLessThan(MIB);
    expect(endBytes).toBe(12 * MIB);
  });

  test('is 0 for one sample', () => {
    expect(trendOf([{ atMs: 5, bytes: 7 }])).toEqual({ startBytes: 7, endBytes: 7, grownBytes: 0 });
  });
});

describe('the store', () => {
  const { signal } = new AbortController();

  test('refuses a write whose token is too old, and sees one that a token let through', () => {
    const store = new Store();
    const old = store.enter('s', 1, AbortSignal.abort());
    const newer = store.enter('s', 2, signal);
    expect([store.write(newer), store.write(old)]).toEqual([true, false]);
    expect([store.accepted, store.refused, store.staleAccepted, store.overlaps]).toEqual([1, 1, 0, 0]);
    const late = store.enter('t', 9, AbortSignal.abort());
    const successor = store.enter('t', 8, signal);
    expect([store.write(successor), store.write(late)]).toEqual([true, true]);
    expect([store.staleAccepted, store.tokensReused]).toEqual([1, 1]);
  });

  test('counts two that are inside together, unless the first was told to stop or has left', () => {
    const store = new Store();
    const first = store.enter('s', 1, signal);
    store.enter('t', 1, signal);
    store.leave(first);
    store.enter('s', 2, signal);
    expect(store.overlaps).toBe(0);
    store.enter('s', 3, signal);
    expect(store.overlaps).toBe(1);
  });
});

test('the same seed makes the same choices, another one does not', () => {
  const draw = (seed: number): number[] => {
    const random = new Choices(seed);
    return Array.from({ length: 20 }, () => random.between(0, 1_000));
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test('a short soak holds, prints its seed, and exits with 0', async () => {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const args = ['--expose-gc', '--import', 'tsx', main, '--seconds', '2', '--seed', '11'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = await once(child, 'close');
  expect(output).toMatch(/late effects +0\n/);
  expect(output).toMatch(/seed +11\n/);
  expect(output).toContain('The soak holds.');
  expect(code).toBe(0);
}, 60_000);
