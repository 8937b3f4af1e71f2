import { AbortRegistry, RunRegistry } from 'runfence';
import { describe, expect, test } from 'vitest';
import { shown } from '../support/shown.js';
import { tracked } from '../support/tracked.js';

const invalid = expect.objectContaining({ code: 'INVALID_OPTIONS' });

describe('readers', () => {
  const bad = [
    null,
    5,
    { requester: {} },
    { requester: undefined },
    { requester: null },
    { requester: { userId: '' } },
    { owner: { userId: 'a' } },
  ];
  for (const options of bad) {
    test(`refuse ${shown(options)}`, async () => {
      const { control } = tracked();
      const { runs } = control;
      const reads = [
        () => runs.get('r', options as never),
        () => runs.list(options as never),
        () => runs.session('s', options as never),
        () => runs.isActive('s', options as never),
      ];
      for (const read of reads) expect(read).toThrow(invalid);
      await expect(control.wait('r', options as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    });
  }

  for (const kind of ['', 5, null]) {
    test(`refuse kind ${shown(kind)}`, async () => {
      const { control } = tracked();
      expect(() => control.runs.isActive('s', { kind: kind as never })).toThrow(invalid);
      await expect(control.wait('r', { kind: kind as never })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    });
  }

  for (const [runId, options] of [
    ['', {}],
    [5, {}],
    ['r', { timeoutMs: '5' }],
    ['r', { signal: {} }],
    ['r', { id: 1 }],
  ]) {
    test(`wait refuses ${shown([runId, options])}`, async () => {
      const { control } = tracked();
      await expect(control.wait(runId as never, options as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    });
  }
});

describe('the rest', () => {
  for (const options of [null, 5, { grace: 5 }, { graceMs: '5' }]) {
    test(`drain refuses ${shown(options)}, and does not begin`, async () => {
      const { control } = tracked();
      await expect(control.drain(options as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
      expect(await control.run({ sessionKey: 's' }, () => 1)).toMatchObject({ status: 'completed' });
    });
  }

  for (const readTimeoutMs of [0, -1, Number.NaN, '5', null]) {
    test(`stream refuses readTimeoutMs ${shown(readTimeoutMs)}`, async () => {
      const { control } = tracked();
      const options = { sessionKey: 's', readTimeoutMs } as never;
      await expect(control.stream(options, async function* () {})).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    });
  }

  test('an unknown option is named, cut short, beside those that there are', async () => {
    const { control } = tracked();
    const options = { sessionKey: 's', [`x${'y'.repeat(500)}`]: 1 } as never;
    const error = await control.run(options, () => 1).catch((caught: Error) => caught.message);
    expect(error).toMatch(/^run options has no option "xy{63}": use sessionKey, runId, /);
  });

  test('an aborts of another RunRegistry, an onError or another clock beside aborts is refused', () => {
    const aborts = new AbortRegistry();
    expect(() => new RunRegistry({ aborts, onError: () => {} })).toThrow(invalid);
    expect(() => new RunRegistry({ aborts, clock: tracked().clock })).toThrow(invalid);
    new RunRegistry({ aborts });
    expect(() => new RunRegistry({ aborts })).toThrow(invalid);
  });
});
