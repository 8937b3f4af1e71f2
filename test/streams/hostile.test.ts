import { createRunControl, type Run } from 'runfence';
import { createRunStreams, type Merge, type StreamItem } from 'runfence/streams';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';
import { untilCut } from '../support/work.js';
import { all, merge, type Part, shown, text, textOf } from './support/deltas.js';

function iterator<T>(source: AsyncIterable<T> | undefined): AsyncIterator<T> {
  if (source === undefined) throw new Error('There is no such run.');
  return source[Symbol.asyncIterator]();
}

describe('events with hostile shapes', () => {
  test('a thenable is delivered as it is, and is never called', async () => {
    const { control } = tracked();
    const streams = createRunStreams<unknown>(control);
    const run = await begin(control, { runId: 'r' });
    let called = 0;
    const thenable = {
      // biome-ignore lint/suspicious/noThenProperty: a hostile event
      then: () => {
        called += 1;
      },
    };
    const waiting = iterator(streams.subscribe('r')).next();
    streams.publish(run, thenable);
    run.complete();
    const items = [(await waiting).value, ...(await all(streams.subscribe('r')))];
    expect(items.map((item) => item.type === 'event' && item.event === thenable)).toEqual([true, true, false]);
    expect(called).toBe(0);
  });

  test('one that changes while it is measured is delivered, and the count stays right', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 10 } });
    const streams = createRunStreams<unknown>(control);
    const run = await begin(control, { runId: 'r' });
    const growing: unknown[] = [];
    const event = {
      toJSON: () => {
        growing.push('x'.repeat(1_000));
        return growing;
      },
    };
    for (let at = 0; at < 20; at++) streams.publish(run, event);
    run.complete();
    expect((await all(streams.subscribe('r'))).length).toBe(21);
    await clock.advance(10);
    expect(streams.usage.bytes).toBe(0);
  });

  test('a toJSON that gives what is no text counts as nothing', async () => {
    const { control } = tracked();
    const streams = createRunStreams<unknown>(control);
    const run = await begin(control, { runId: 'r' });
    expect(streams.publish(run, { toJSON: () => undefined })).toBe(1);
    run.complete();
  });
});

describe('code that comes back in', () => {
  test('a merge key that publishes to another run, whose key publishes back', async () => {
    const { control } = tracked();
    const runs: Run[] = [];
    let depth = 0;
    const streams = createRunStreams<Part>(control, {
      merge: {
        ...merge,
        key: (part) => {
          if (depth < 6 && runs.length === 2) {
            depth += 1;
            streams.publish(runs[depth % 2] as Run, text(`${depth} `));
          }
          return merge.key(part);
        },
      },
    });
    runs.push(await begin(control, { runId: 'a', sessionKey: 'a' }));
    runs.push(await begin(control, { runId: 'b', sessionKey: 'b' }));
    streams.publish(runs[0] as Run, text('0 '));
    for (const run of runs) run.complete();
    const [a, b] = [await all(streams.subscribe('a')), await all(streams.subscribe('b'))];
    expect([textOf(a), textOf(b)]).toEqual(['6 4 2 0 ', '5 3 1 ']);
    for (const [items, count] of [
      [a, 4],
      [b, 3],
    ] as const) {
      expect(shown(items)).toEqual([`event 1-${count}`, `end completed ${count}`]);
    }
  });

  test('a merge key that ends the run, where nothing is retained: refused, and nothing is left', async () => {
    const { control } = tracked({ retention: { ttlMs: 0 } });
    let end = (): void => {};
    const streams = createRunStreams<Part>(control, {
      merge: {
        ...merge,
        key: (part) => {
          end();
          return merge.key(part);
        },
      },
    });
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, text('a'));
    const items = all(streams.subscribe('r'));
    end = () => void run.complete();
    expect(streams.publish(run, text('b'))).toBeUndefined();
    expect(shown(await items)).toEqual(['event 1', 'end completed 1']);
    expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
  });

  test('a listener of watchers that subscribes, leaves, deletes and stops', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, 'a');
    let depth = 0;
    const off = streams.onWatchers(({ watchers }) => {
      depth += 1;
      const level = depth;
      if (level > 5) return;
      const inner = iterator(streams.subscribe('r'));
      void inner.return?.();
      streams.delete('s');
      if (watchers > 0 && level === 3) void control.abort({ runId: 'r' });
    });
    const items = all(streams.subscribe('r'));
    run.complete();
    off();
    expect(shown(await items)).toEqual(['gap 1-1', 'cut user', 'end aborted 1']);
    expect(streams.usage.subscribers).toBe(0);
  });

  test('a listener that removes itself and others while it is told', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    const told: string[] = [];
    const offs = ['a', 'b', 'c'].map((name) =>
      streams.onWatchers(() => {
        told.push(name);
        for (const off of offs) off();
      }),
    );
    const one = iterator(streams.subscribe('r'));
    await one.return?.();
    expect(told).toEqual(['a', 'b', 'c']);
    run.complete();
  });
});

describe('iterators that are used in odd ways', () => {
  test('next, return and throw without their object', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, 'a');
    const { next } = iterator(streams.subscribe('r'));
    expect(() => next.call(undefined as never)).toThrow(TypeError);
    streams.publish(run, 'b');
    run.complete();
    expect(shown(await all(streams.subscribe('r')))).toEqual(['event 1', 'event 2', 'end completed 2']);
  });

  test('a thousand reads ahead are answered in order, and those behind the end are done', async () => {
    const { control } = tracked();
    const streams = createRunStreams<number>(control);
    const run = await begin(control, { runId: 'r' });
    const one = iterator(streams.subscribe('r'));
    const ahead = Array.from({ length: 1_000 }, () => one.next());
    for (let at = 0; at < 500; at++) streams.publish(run, at);
    run.complete();
    const results = await Promise.all(ahead);
    expect(results.filter(({ done }) => done === true)).toHaveLength(499);
    expect(results.slice(0, 500).map(({ value }) => (value?.type === 'event' ? value.event : -1))).toEqual(
      Array.from({ length: 500 }, (_, at) => at),
    );
    expect(streams.usage.subscribers).toBe(0);
  });

  test('return and throw any number of times, before, while and after', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    const one = iterator(streams.subscribe('r'));
    for (let times = 0; times < 3; times++) {
      void one.next();
      await one.return?.();
      await one.throw?.(new Error('again')).catch(() => {});
    }
    expect(streams.usage.subscribers).toBe(0);
    run.complete();
  });

  test('await using ends one', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    const one = iterator(streams.subscribe('r')) as AsyncIterator<StreamItem<string>> & AsyncDisposable;
    expect(streams.watchers('r')).toBe(1);
    await one[Symbol.asyncDispose]();
    expect(streams.watchers('r')).toBe(0);
    run.complete();
  });
});

describe('items that a subscriber changes', () => {
  test('are its own: another subscriber gets them as they were', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, 'a');
    const followed = [1, 2].map(() => all(streams.subscribe('r')));
    run.complete();
    const [mine, other] = await Promise.all(followed);
    for (const item of mine ?? []) {
      try {
        Object.assign(item, { type: 'spoilt', seq: 99, saved: null });
      } catch {
        // The end is frozen.
      }
    }
    expect(shown(other ?? [])).toEqual(['event 1', 'end completed 1']);
    expect(shown(await all(streams.subscribe('r')))).toEqual(['event 1', 'end completed 1']);
  });
});

describe('ids and keys', () => {
  test.each(['__proto__', 'constructor', 'toString', ' ', '🦦', 'x'.repeat(1_024)])(
    '%s is an id like any other',
    async (runId) => {
      const { control } = tracked();
      const streams = createRunStreams<string>(control);
      expect(streams.subscribe(runId)).toBeUndefined();
      expect(streams.watchers(runId)).toBe(0);
      if (runId.trim() === '') return;
      const run = await begin(control, { runId, owner: { userId: runId } });
      streams.publish(run, 'a');
      run.complete();
      const items = await all(streams.subscribe(runId, { requester: { userId: runId } }));
      expect(shown(items)).toEqual(['event 1', 'end completed 1']);
    },
  );

  test('after is what a stranger sends: nothing of it harms', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    for (const event of ['a', 'b']) streams.publish(run, event);
    run.complete();
    const { generation } = run;
    for (const seq of [0, 1, 2, 3, Number.MAX_SAFE_INTEGER]) {
      const items = await all(streams.subscribe('r', { after: { generation, seq } }));
      expect(items).toHaveLength(Math.max(0, 2 - seq) + 1);
    }
    for (const other of [0, generation + 1, Number.MAX_SAFE_INTEGER]) {
      const items = await all(streams.subscribe('r', { after: { generation: other, seq: 2 } }));
      expect(shown(items)).toEqual(['restart', 'event 1', 'event 2', 'end completed 2']);
    }
    for (const seq of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => streams.subscribe('r', { after: { generation, seq } })).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS' }),
      );
    }
  });
});

describe('a control that is misused', () => {
  test('two streams of one control do not see each other', async () => {
    const { control } = tracked();
    const [one, other] = [createRunStreams<string>(control), createRunStreams<string>(control)];
    const run = await begin(control, { runId: 'r' });
    one.publish(run, 'a');
    expect([one.publish(run, 'b'), other.publish(run, 'x')]).toEqual([2, 1]);
    run.complete();
    expect(shown(await all(other.subscribe('r')))).toEqual(['event 1', 'end completed 1']);
  });

  test('an onError that throws, and one that publishes', async () => {
    let streams: ReturnType<typeof createRunStreams<unknown>> | undefined;
    let run: Run | undefined;
    const control = createRunControl({
      onError: () => {
        if (run !== undefined) streams?.publish(run, 'told');
        throw new Error('log');
      },
    });
    streams = createRunStreams<unknown>(control);
    run = await begin(control, { runId: 'r' });
    expect(streams.publish(run, { id: 1n })).toBeUndefined();
    expect(streams.publish(run, 'after')).toBe(2);
    run.complete();
    await control.drain();
  });

  test('streams that are made while runs go on, wait and have ended know all of them', async () => {
    const { control } = tracked();
    const ended = await begin(control, { runId: 'ended' });
    ended.complete();
    const work = control.run({ sessionKey: 's', runId: 'stopping' }, untilCut);
    const live = await begin(control, { runId: 'live', sessionKey: 't' });
    const waiting = control.run({ sessionKey: 't', runId: 'waiting', whenBusy: 'enqueue' }, () => 1);
    const streams = createRunStreams<string>(control);
    const followed = ['ended', 'stopping', 'live', 'waiting'].map((runId) => all(streams.subscribe(runId)));
    void control.abort({ runId: 'stopping' });
    streams.publish(live, 'a');
    live.complete();
    await Promise.all([work, waiting]);
    expect((await Promise.all(followed)).map(shown)).toEqual([
      ['end completed 0'],
      ['cut user', 'end aborted 0'],
      ['event 1', 'end completed 1'],
      ['end completed 0'],
    ]);
    await flush();
    expect(streams.usage.subscribers).toBe(0);
  });

  test('Object.prototype that somebody has polluted changes nothing', async () => {
    const polluted = { after: 5, generation: 9, maxBytes: 1, key: 1 };
    const { control } = tracked();
    for (const [name, value] of Object.entries(polluted)) {
      Object.defineProperty(Object.prototype, name, { value, configurable: true, enumerable: true, writable: true });
    }
    try {
      const streams = createRunStreams<string>(control);
      const run = await begin(control, { runId: 'r' });
      for (const event of ['a', 'b']) streams.publish(run, event);
      run.complete();
      expect(shown(await all(streams.subscribe('r', {})))).toEqual(['event 1', 'event 2', 'end completed 2']);
    } finally {
      for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name);
    }
  });

  test('merge functions that are methods of an object with state keep their this', async () => {
    class Counting implements Merge<Part> {
      calls = 0;
      key(part: Part): string | undefined {
        this.calls += 1;
        return merge.key(part);
      }
      text(part: Part): string {
        return merge.text(part);
      }
      with(part: Part, value: string): Part {
        return merge.with(part, value);
      }
    }
    const { control } = tracked();
    const counting = new Counting();
    const streams = createRunStreams<Part>(control, { merge: counting });
    const run = await begin(control, { runId: 'r' });
    for (const word of ['a', 'b']) streams.publish(run, text(word));
    run.complete();
    expect(textOf(await all(streams.subscribe('r')))).toBe('ab');
    expect(counting.calls).toBe(2);
  });
});
