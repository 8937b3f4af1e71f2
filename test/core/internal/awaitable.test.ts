import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { settle } from '../../../src/core/internal/awaitable.js';
import { HOSTILE_THENABLES, thenable } from '../../support/hostile.js';

function settled(call: () => unknown): string[] {
  const told: string[] = [];
  settle(
    call,
    (value) => void told.push(`value ${String(value)}`),
    (error) => void told.push(`error ${error instanceof Error ? error.message : String(error)}`),
  );
  return told;
}

describe('settle', () => {
  test('tells a plain value in the same tick', () => {
    expect(settled(() => 1)).toEqual(['value 1']);
  });

  test('tells what the call throws in the same tick', () => {
    expect(
      settled(() => {
        throw new Error('no');
      }),
    ).toEqual(['error no']);
  });

  test('tells a promise in the tick in which it is told by itself', async () => {
    const promise = Promise.resolve(1);
    const told = settled(() => promise);
    let inItsTick: string[] = [];
    await promise.then(() => {
      inItsTick = [...told];
    });
    expect(inItsTick).toEqual(['value 1']);
  });

  test.each(HOSTILE_THENABLES)('tells of %s as an error, once', async (_what, hostile) => {
    const told = settled(hostile);
    await flush();
    expect(told).toEqual([expect.stringMatching(/^error /)]);
  });

  test.each<[string, unknown]>([
    [
      'resolves twice',
      thenable((resolve) => {
        resolve(1);
        resolve(2);
      }),
    ],
    [
      'resolves and then rejects',
      thenable((resolve, reject) => {
        resolve(1);
        reject(new Error('too late'));
      }),
    ],
    [
      'resolves at once and then throws',
      thenable((resolve) => {
        resolve(1);
        throw new Error('too late');
      }),
    ],
  ])('counts a thenable that %s once', async (_what, value) => {
    const told = settled(() => value);
    await flush();
    expect(told).toEqual(['value 1']);
  });

  test('follows a thenable that resolves with another thenable', async () => {
    const told = settled(() => thenable((resolve) => resolve(Promise.resolve(1))));
    await flush();
    expect(told).toEqual(['value 1']);
  });
});
