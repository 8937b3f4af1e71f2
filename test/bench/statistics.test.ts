import { describe, expect, test } from 'vitest';
import { compare } from '../../bench/harness/compare.js';
import { ratio } from '../../bench/harness/figure.js';
import { quantile, ratioOf, summarise } from '../../bench/harness/statistics.js';

describe('statistics of the bench', () => {
  test('a quantile lies between the two nearest ranks, whatever the order', () => {
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
    expect(quantile([4, 1, 2, 3], 0.5)).toBe(2.5);
    expect(quantile([10, 20], 0.9)).toBe(19);
    expect(() => quantile([], 0.5)).toThrow('nothing');
  });

  test('one slow repetition does not move the median', () => {
    expect(summarise([1, 1, 1, 1, 1_000]).median).toBe(1);
  });

  test('a ratio compares the medians, and its spread pairs neighbours in time', () => {
    // The machine was ten times slower in the last round, for both.
    expect(ratioOf([1, 1, 10], [2, 2, 20])).toEqual({ median: 0.5, p10: 0.5, p90: 0.5 });
  });

  test('a ratio keeps both medians and the name of the peer', () => {
    const figure = ratio('what', { name: 'runfence', values: [2, 2] }, { name: 'p-limit', values: [4, 4] });
    expect(figure).toMatchObject({ value: 0.5, ours: 2, peer: { name: 'p-limit', ns: 4 }, unit: 'x' });
  });
});

describe('comparing', () => {
  const effort = { repetitions: 4, batchMs: 1, onRound: () => {} };

  test('takes the sides in turn, and each first as often as the other', async () => {
    const order: string[] = [];
    const side = (name: string) => ({ name, least: 1, most: 1, batch: () => order.push(name) });
    const rounds: number[] = [];
    await compare([side('a'), side('b')], { ...effort, onRound: (round) => rounds.push(round) });
    expect(order.slice(-8).join('')).toBe('abbaabba');
    expect(rounds).toEqual([1, 2, 3, 4]);
  });

  test("a batch's own time counts instead of the whole, for each operation", async () => {
    const [sync, async] = await compare(
      [
        { name: 'sync', least: 10, most: 10, batch: () => 500 },
        { name: 'async', least: 10, most: 10, batch: async () => 1_000 },
      ],
      effort,
    );
    expect(sync?.values).toEqual([50, 50, 50, 50]);
    expect(async?.values).toEqual([100, 100, 100, 100]);
  });

  test('a batch grows until it takes as long as wanted', async () => {
    const sizes: number[] = [];
    const batch = (operations: number): number => {
      sizes.push(operations);
      return operations * 1_000;
    };
    await compare([{ name: 'a', least: 1, batch }], { ...effort, batchMs: 5 });
    expect(sizes.at(-1)).toBe(5_000);
  });
});
