import { describe, expect, test } from 'vitest';
import type { Figure } from '../../bench/harness/figure.js';
import { judge, meetsAll } from '../../bench/harness/verdict.js';

function figure(value: number, target: Partial<Figure> = { budget: 1, stretch: 0.5 }): Figure {
  return { what: 'a', unit: 'x', value, ...target };
}

function verdict(...values: readonly number[]): string | undefined {
  return judge(values.map((value) => [figure(value)]))[0]?.verdict;
}

describe('the verdict on a row', () => {
  test.each([
    ['met', [1]],
    ['stretch', [0.5]],
    ['missed', [1.1]],
    ['missed', [1.1, 1.2, 1.3]],
    ['met', [1.1, 1.2, 0.9]],
    ['stretch', [1.1, 0.4, 0.4]],
  ])('is %s for %j', (expected, values) => {
    expect(verdict(...values)).toBe(expected);
  });

  test('a figure without a budget is only shown', () => {
    expect(judge([[figure(9, {})]])[0]?.verdict).toBe('shown');
  });

  test('shows the run in the middle, and says how often it missed', () => {
    const [judged] = judge([[figure(1.1)], [figure(1.2)], [figure(0.9)]]);
    expect(judged).toMatchObject({ value: 1.1, missedRuns: 2, runs: 3 });
  });

  test('one of two alternatives is enough, in the same run', () => {
    const ns = (value: number) => figure(value, { budget: 700, either: 'cost' });
    const x = (value: number) => figure(value, { budget: 3.5, either: 'cost' });
    expect(meetsAll([ns(900), x(3)])).toBe(true);
    expect(meetsAll([ns(600), x(4)])).toBe(true);
    expect(meetsAll([ns(900), x(4)])).toBe(false);
    expect(judge([[ns(900), x(3)]]).map((judged) => judged.verdict)).toEqual(['met', 'met']);
  });

  test('an alternative of another name does not help', () => {
    expect(meetsAll([figure(2), figure(0.1, { budget: 1, either: 'cost' })])).toBe(false);
  });
});
