import { createRunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { createRunStreams } from 'runfence/streams';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { queued } from '../support/queued.js';
import { tracked } from '../support/tracked.js';
import { all, merge, type Part, shown, text } from './support/deltas.js';

describe('publish is fenced', () => {
  test('after the cut nothing is recorded, and the receipt counts it (J6)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, 'a');
    const receipt = await control.abort({ runId: 'r' });
    expect([streams.publish(run, 'b'), streams.publish(run, 'c')]).toEqual([undefined, undefined]);
    run.fail(new Error('unwound'));
    expect((await receipt.whenQuiet()).runs[0]).toMatchObject({ fencedEffects: 2 });
    expect(shown(await all(streams.subscribe('r')))).toEqual(['event 1', 'cut user', 'end aborted 1']);
  });

  test('the first event of a run that is over opens no record, and is counted (J6)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    const receipt = await control.abort({ runId: 'r' });
    expect(streams.publish(run, 'a')).toBeUndefined();
    run.fail(new Error('unwound'));
    expect((await receipt.whenQuiet()).runs[0]).toMatchObject({ fencedEffects: 1 });
    expect(streams.usage.runs).toBe(0);
  });

  test('a run that waits, and one that has completed, publish nothing', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const first = await begin(control);
    const { run } = await queued(control, { runId: 'q' });
    expect(streams.publish(run, 'a')).toBeUndefined();
    streams.publish(first, 'a');
    first.complete();
    expect(streams.publish(first, 'b')).toBeUndefined();
    await flush();
    expect(streams.publish(run, 'a')).toBe(1);
    run.complete();
  });

  test('an abort listener that publishes is too late', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    const seen: unknown[] = [];
    run.signal.addEventListener('abort', () => seen.push(streams.publish(run, 'late')));
    control.on('run:aborted', () => seen.push(streams.publish(run, 'later')));
    void control.abort({ runId: 'r' });
    run.complete();
    expect(seen).toEqual([undefined, undefined]);
    expect(shown(await all(streams.subscribe('r')))).toEqual(['cut user', 'end aborted 0']);
  });

  test.each(['a first', 'a later'])(
    '%s event that is refused while the lease is in doubt stops the run: its stream would have a hole',
    async (which) => {
      const state = Object.assign(memory(), { aliveUntil: () => performance.now() + 1_000 });
      const backend = new FaultyBackend({ over: state });
      const { control, clock } = tracked({ backend });
      const streams = createRunStreams<string>(control);
      const run = await begin(control, { runId: 'r' });
      if (which === 'a later') streams.publish(run, 'a');
      const items = all(streams.subscribe('r'));
      backend.suspend();
      await clock.advance(1_000);
      expect(streams.publish(run, 'lost')).toBeUndefined();
      expect(run.status).toBe('running');
      backend.resume();
      await clock.advance(25);
      expect(streams.publish(run, 'after the hole')).toBeUndefined();
      run.complete();
      await clock.advance(25);
      expect(shown(await items).slice(-2)).toEqual([
        'cut heartbeat-lost',
        `end aborted ${which === 'a later' ? 1 : 0}`,
      ]);
    },
  );
});

describe('publish never throws for what an event is', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  test.each([
    ['a circle', circle],
    ['a bigint', { id: 1n }],
    [
      'a toJSON that throws',
      {
        toJSON: () => {
          throw new Error('no');
        },
      },
    ],
    [
      'a getter that throws',
      Object.defineProperty({}, 'text', {
        enumerable: true,
        get: () => {
          throw new Error('no');
        },
      }),
    ],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('no');
          },
        },
      ),
    ],
  ])('%s is not recorded, and onError is told of which run', async (_what, event) => {
    const told: unknown[] = [];
    const control = createRunControl({ onError: (_error, about) => void told.push(about) });
    const streams = createRunStreams<unknown>(control);
    const run = await begin(control, { runId: 'r' });
    expect([streams.publish(run, 'a'), streams.publish(run, event), streams.publish(run, 'b')]).toEqual([
      1,
      undefined,
      2,
    ]);
    expect(told).toEqual([{ sessionKey: 's', runId: 'r' }]);
    run.complete();
    expect(shown(await all(streams.subscribe('r')))).toEqual(['event 1', 'event 2', 'end completed 2']);
    await control.drain();
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a symbol', Symbol('s')],
    ['a function', () => {}],
  ])('%s is an event like any other', async (_what, event) => {
    const { control } = tracked();
    const streams = createRunStreams<unknown>(control);
    const run = await begin(control, { runId: 'r' });
    expect(streams.publish(run, event)).toBe(1);
    run.complete();
    expect(await all(streams.subscribe('r'))).toMatchObject([{ type: 'event', event }, { type: 'end' }]);
  });
});

describe('the code of an event is called before the check', () => {
  test('one that publishes comes first, and each has its number', async () => {
    const { control } = tracked();
    const streams = createRunStreams<unknown>(control);
    const run = await begin(control, { runId: 'r' });
    const inner: unknown[] = [];
    const outer = {
      toJSON: () => {
        inner.push(streams.publish(run, 'inner'));
        return 'outer';
      },
    };
    expect(streams.publish(run, outer)).toBe(2);
    expect(inner).toEqual([1]);
    run.complete();
    expect(await all(streams.subscribe('r'))).toMatchObject([{ event: 'inner' }, { event: outer }, { type: 'end' }]);
  });

  test('one that stops the run is refused, by its key or by its toJSON', async () => {
    for (const how of ['key', 'toJSON'] as const) {
      const { control } = tracked();
      let stop = (): void => {};
      const streams = createRunStreams<Part>(control, {
        merge: {
          ...merge,
          key: (part) => {
            if (how === 'key') stop();
            return merge.key(part);
          },
        },
      });
      const run = await begin(control, { runId: 'r' });
      streams.publish(run, text('a'));
      stop = () => void control.abort({ runId: 'r' });
      const event = how === 'key' ? text('b') : Object.assign({ type: 'tool', name: 't' } as const, { toJSON: stop });
      expect(streams.publish(run, event)).toBeUndefined();
      run.complete();
      expect(shown(await all(streams.subscribe('r')))).toEqual(['event 1', 'cut user', 'end aborted 1']);
    }
  });
});

describe('publish refuses', () => {
  test.each([
    ['nothing', undefined],
    ['a view', { id: 'r', generation: 1 }],
    ['an id', 'r'],
  ])('%s', (_what, run) => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    expect(() => streams.publish(run as never, 'a')).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });

  test('a run of another control', async () => {
    const [mine, other] = [tracked(), tracked()];
    const streams = createRunStreams<string>(mine.control);
    const run = await begin(other.control, { runId: 'r' });
    expect(() => streams.publish(run, 'a')).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    run.complete();
  });
});
