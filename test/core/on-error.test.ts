import { createRunControl } from 'runfence';
import { describe, expect, test } from 'vitest';

describe('control.onError', () => {
  test('tells the onError of the options what went wrong, and of which run', () => {
    const told: unknown[][] = [];
    const control = createRunControl({ onError: (...args) => void told.push(args) });
    const error = new Error('store');
    control.onError(error);
    control.onError(error, { sessionKey: 's', runId: undefined });
    expect(told).toEqual([[error], [error, { sessionKey: 's', runId: undefined }]]);
  });

  test('never throws, and does nothing without one', () => {
    const throwing = createRunControl({
      onError: () => {
        throw new Error('log');
      },
    });
    expect(() => throwing.onError(new Error('store'))).not.toThrow();
    expect(() => createRunControl().onError(new Error('store'))).not.toThrow();
  });
});
