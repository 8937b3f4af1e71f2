import { createRunStreams, type StreamItem } from 'runfence/streams';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked, upstream } from '../support/tracked.js';
import { untilCut } from '../support/work.js';
import { all, merge, type Part, shown, text } from './support/deltas.js';

function streamsOf<E = string>() {
  const { control, clock, errors } = tracked();
  return { control, clock, errors, streams: createRunStreams<E>(control) };
}

function iterator<T>(source: AsyncIterable<T> | undefined): AsyncIterator<T> {
  if (source === undefined) throw new Error('There is no such run.');
  return source[Symbol.asyncIterator]();
}

describe('a stop', () => {
  test('between publish and delivery: what was published is delivered, then the cut (J3)', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    const items = all(streams.subscribe('r'));
    await flush();
    streams.publish(run, 'a');
    void control.abort({ runId: 'r' });
    expect(streams.publish(run, 'b')).toBeUndefined();
    run.complete();
    expect(shown(await items)).toEqual(['event 1', 'cut user', 'end aborted 1']);
  });

  test('in the tick of a subscription, before and after it', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    const before = all(streams.subscribe('r'));
    void control.abort({ runId: 'r' });
    const after = all(streams.subscribe('r'));
    run.complete();
    expect([shown(await before), shown(await after)]).toEqual([
      ['cut user', 'end aborted 0'],
      ['cut user', 'end aborted 0'],
    ]);
  });

  test.each(['signal', 'run:aborted', 'run:ended', 'run:saved', 'run:quiet'] as const)(
    'whose %s is heard by code that subscribes then',
    async (when) => {
      const { control } = tracked();
      let follow = (): void => {};
      // Before the streams hear of it, and after.
      if (when !== 'signal') control.on(when, () => follow());
      const streams = createRunStreams<string>(control);
      if (when !== 'signal') control.on(when, () => follow());
      const run = await begin(control, { runId: 'r' });
      streams.publish(run, 'a');
      const followed: Promise<StreamItem<string>[]>[] = [];
      follow = () => void followed.push(all(streams.subscribe('r')));
      if (when === 'signal') run.signal.addEventListener('abort', follow);
      void control.abort({ runId: 'r' });
      run.complete();
      await flush();
      expect(followed).toHaveLength(when === 'signal' ? 1 : 2);
      for (const items of followed) expect(shown(await items)).toEqual(['event 1', 'cut user', 'end aborted 1']);
      expect(streams.usage.subscribers).toBe(0);
    },
  );

  test('of a run that has not published, heard by code that subscribes then', async () => {
    const { control } = tracked();
    const followed: Promise<StreamItem<string>[]>[] = [];
    const follow = (): void => void followed.push(all(streams.subscribe('r')));
    for (const when of ['run:aborted', 'run:ended', 'run:saved', 'run:quiet'] as const) control.on(when, follow);
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    void control.abort({ runId: 'r' });
    run.complete();
    await flush();
    expect(followed).toHaveLength(4);
    for (const items of followed) expect(shown(await items)).toEqual(['cut user', 'end aborted 0']);
    expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
  });

  test('of a run that starts, before it is announced: a listener of the run that it takes over stops it', async () => {
    const { control, streams } = streamsOf();
    const first = await begin(control, { runId: 'first' });
    first.signal.addEventListener('abort', () => void control.abort({ runId: 'second' }));
    const second = control.run({ sessionKey: 's', runId: 'second', startWhen: 'quiet' }, untilCut);
    const items = all(streams.subscribe('second'));
    first.complete();
    await control.abort('all');
    expect(await second).toMatchObject({ status: 'aborted' });
    expect(shown(await items)).toEqual(['cut user', 'end aborted 0']);
    expect(streams.usage.runs).toBe(0);
  });
});

describe('a subscriber', () => {
  test('that leaves while it waits is gone at once, and the others go on (J7)', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    const one = iterator(streams.subscribe('r'));
    const other = all(streams.subscribe('r'));
    const waiting = one.next();
    expect(streams.watchers('r')).toBe(2);
    expect(await one.return?.()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await one.next()).toEqual({ done: true, value: undefined });
    expect(streams.watchers('r')).toBe(1);
    streams.publish(run, 'a');
    run.complete();
    expect(shown(await other)).toEqual(['event 1', 'end completed 1']);
  });

  test('that leaves while an event is on its way to it gets that, and no more', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    const one = iterator(streams.subscribe('r'));
    const waiting = one.next();
    streams.publish(run, 'a');
    void one.return?.();
    streams.publish(run, 'b');
    expect(await waiting).toMatchObject({ value: { event: 'a' } });
    expect(await one.next()).toEqual({ done: true, value: undefined });
    run.complete();
  });

  test('that breaks its loop leaves nothing (J7)', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    for (const event of ['a', 'b']) streams.publish(run, event);
    for await (const item of streams.subscribe('r') ?? []) if (item.type === 'event') break;
    expect(streams.usage.subscribers).toBe(0);
    const thrown = iterator(streams.subscribe('r'));
    await expect(thrown.throw?.(new Error('mine'))).rejects.toThrow('mine');
    expect(streams.usage.subscribers).toBe(0);
    run.complete();
  });

  test('that asks for several items at a time gets them in order, and the end once', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, 'a');
    const one = iterator(streams.subscribe('r'));
    const asked = Array.from({ length: 5 }, () => one.next());
    streams.publish(run, 'b');
    run.complete();
    const got = await Promise.all(asked);
    expect(got.map(({ done }) => done)).toEqual([false, false, false, true, true]);
    expect(shown(got.slice(0, 3).map(({ value }) => value as StreamItem<string>))).toEqual([
      'event 1',
      'event 2',
      'end completed 2',
    ]);
    expect(streams.usage.subscribers).toBe(0);
  });

  test('that publishes on delivery sees its own events behind the one that it got', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, '0');
    const seen: string[] = [];
    for await (const item of streams.subscribe('r') ?? []) {
      if (item.type !== 'event') continue;
      seen.push(item.event);
      if (seen.length < 5) streams.publish(run, String(seen.length));
      else run.complete();
    }
    expect(seen).toEqual(['0', '1', '2', '3', '4']);
  });

  test('that stops the run on delivery gets the cut next', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, 'a');
    const items: StreamItem<string>[] = [];
    for await (const item of streams.subscribe('r') ?? []) {
      items.push(item);
      if (item.type === 'event') void control.abort({ runId: 'r' });
      if (item.type === 'cut') run.complete();
    }
    expect(shown(items)).toEqual(['event 1', 'cut user', 'end aborted 1']);
  });

  test('begins with its iteration, and each iteration is one of its own', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, 'a');
    const source = streams.subscribe('r');
    expect(streams.watchers('r')).toBe(0);
    const [one, other] = [all(source), all(source)];
    expect(streams.watchers('r')).toBe(2);
    run.complete();
    expect(shown(await one)).toEqual(shown(await other));
  });
});

describe('a signal', () => {
  test('ends the subscriber that waits, and the one that does not, quietly (J7)', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, 'a');
    const { signal, abort } = bound(upstream());
    const waiting = all(streams.subscribe('r', { signal }));
    const slow = iterator(streams.subscribe('r', { signal }));
    await flush();
    abort();
    expect(shown(await waiting)).toEqual(['event 1']);
    expect(await slow.next()).toEqual({ done: true, value: undefined });
    expect(streams.usage.subscribers).toBe(0);
    expect(await all(streams.subscribe('r', { signal }))).toEqual([]);
    run.complete();
  });

  test('has one listener of ours, however many follow under it, and none when they have ended', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    let [added, removed] = [0, 0];
    const { signal } = upstream();
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      added += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      removed += 1;
      remove(...args);
    };
    const followed = Array.from({ length: 100 }, () => all(streams.subscribe('r', { signal })));
    expect([added, removed]).toEqual([1, 0]);
    run.complete();
    await Promise.all(followed);
    expect([added, removed]).toEqual([1, 1]);
  });

  test('aborted by a listener of watchers, and by being listened to, ends the subscriber', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    const { signal, abort } = bound(upstream());
    const off = streams.onWatchers(abort);
    expect(await all(streams.subscribe('r', { signal }))).toEqual([]);
    off();
    const eager = bound(new AbortController());
    const add = eager.signal.addEventListener.bind(eager.signal);
    eager.signal.addEventListener = (...args: Parameters<typeof add>) => {
      add(...args);
      eager.abort();
    };
    expect(await all(streams.subscribe('r', { signal: eager.signal }))).toEqual([]);
    expect(streams.usage.subscribers).toBe(0);
    run.complete();
  });

  test('that takes no listener is refused, and nothing is left', async () => {
    const { control, streams } = streamsOf();
    const run = await begin(control, { runId: 'r' });
    const { signal } = new AbortController();
    signal.addEventListener = () => {
      throw new Error('no');
    };
    const source = streams.subscribe('r', { signal });
    expect(() => iterator(source)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    expect(streams.usage.subscribers).toBe(0);
    run.complete();
  });
});

describe('the code of merged events, while one is made for a subscriber', () => {
  const made: { at: () => void } = { at: () => {} };
  const reentrant = {
    ...merge,
    with: (part: Part, value: string): Part => {
      made.at();
      return merge.with(part, value);
    },
  };

  test('reads on: each part is delivered once', async () => {
    const { control } = tracked();
    const streams = createRunStreams<Part>(control, { merge: reentrant });
    const run = await begin(control, { runId: 'r' });
    for (const word of ['a', 'b', 'c']) streams.publish(run, text(word));
    const one = iterator(streams.subscribe('r'));
    const inner: Promise<IteratorResult<StreamItem<Part>>>[] = [];
    made.at = () => {
      made.at = () => {};
      inner.push(one.next());
    };
    const outer = await one.next();
    run.complete();
    expect(shown([outer.value as StreamItem<Part>])).toEqual(['event 1-3']);
    expect(shown([(await inner[0])?.value as StreamItem<Part>])).toEqual(['end completed 3']);
  });

  test('leaves: nothing is delivered any more', async () => {
    const { control } = tracked();
    const streams = createRunStreams<Part>(control, { merge: reentrant });
    const run = await begin(control, { runId: 'r' });
    for (const word of ['a', 'b']) streams.publish(run, text(word));
    const one = iterator(streams.subscribe('r'));
    made.at = () => void one.return?.();
    expect(await one.next()).toEqual({ done: true, value: undefined });
    expect(streams.usage.subscribers).toBe(0);
    run.complete();
  });

  test('publishes, and stops the run: what it got stays what it was', async () => {
    const { control } = tracked();
    const streams = createRunStreams<Part>(control, { merge: reentrant });
    const run = await begin(control, { runId: 'r' });
    for (const word of ['a', 'b']) streams.publish(run, text(word));
    made.at = () => {
      made.at = () => {};
      streams.publish(run, text('c'));
      void control.abort({ runId: 'r' });
    };
    const items = all(streams.subscribe('r'));
    run.complete();
    expect(shown(await items)).toEqual(['event 1-2', 'event 3', 'cut user', 'end aborted 3']);
  });
});

function bound(controller: AbortController) {
  return { signal: controller.signal, abort: () => controller.abort() };
}
