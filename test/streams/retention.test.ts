import { createRunStreams, type WatchersEvent } from 'runfence/streams';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';
import { gate, untilCut } from '../support/work.js';
import { all, shown } from './support/deltas.js';

describe('a record goes with its run (J12)', () => {
  test('when the retention of the run is over, to the ms', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 100 } });
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, 'a');
    run.complete();
    await clock.advance(99);
    expect(shown(await all(streams.subscribe('r')))).toEqual(['event 1', 'end completed 1']);
    await clock.advance(1);
    expect(streams.subscribe('r')).toBeUndefined();
    expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
  });

  test('at the end, where nothing is retained: who follows gets it all', async () => {
    const { control } = tracked({ retention: { ttlMs: 0 } });
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    for (const event of ['a', 'b', 'c']) streams.publish(run, event);
    const slow = streams.subscribe('r')?.[Symbol.asyncIterator]();
    expect((await slow?.next())?.value).toMatchObject({ event: 'a' });
    run.complete();
    expect(streams.subscribe('r')).toBeUndefined();
    expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
    const rest = [];
    for (let next = await slow?.next(); next?.done === false; next = await slow?.next()) rest.push(next.value);
    expect(shown(rest)).toEqual(['event 2', 'event 3', 'end completed 3']);
  });

  test('in a drain: who follows gets the stop and the end', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const work = control.run({ sessionKey: 's', runId: 'r' }, async (run) => {
      streams.publish(run, 'a');
      await untilCut(run);
    });
    const items = all(streams.subscribe('r'));
    await control.drain({ graceMs: 0 });
    await work;
    expect(shown(await items)).toEqual(['event 1', 'cut shutdown', 'end aborted 1']);
    expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
  });

  test('not before its run is quiet: a deaf tool keeps it there, and its end is told all the same', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 10 } });
    const streams = createRunStreams<string>(control);
    const deaf = gate();
    const work = control.run({ sessionKey: 's', runId: 'r' }, (run) => {
      streams.publish(run, 'a');
      return run.gate(() => deaf.promise)();
    });
    const items = all(streams.subscribe('r'));
    void control.abort({ runId: 'r' });
    expect(shown(await items)).toEqual(['event 1', 'cut user', 'end aborted 1']);
    await clock.advance(10_000);
    expect(streams.usage.runs).toBe(1);
    deaf.open();
    await work;
    await flush();
    await clock.advance(10);
    expect(streams.usage.runs).toBe(0);
  });

  test('a subscription that is iterated after that says what is missing', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 100 } });
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, 'a');
    run.complete();
    const source = streams.subscribe('r');
    await clock.advance(100);
    expect(shown(await all(source))).toEqual(['gap 1-1', 'end completed 1']);
    expect(streams.usage.subscribers).toBe(0);
  });
});

describe('a store that hangs', () => {
  test.each([
    ['in the save', 'epilogueMs', 'timed-out'],
    ['in a commit', 'writeGraceMs', 'none'],
  ])('%s does not keep the end open', async (where, bound, state) => {
    const { control, clock } = tracked({ defaults: { [bound]: 100 } });
    const streams = createRunStreams<string>(control);
    const store = gate();
    const save = where === 'in the save' ? { save: () => store.promise } : {};
    const work = control.run({ sessionKey: 's', runId: 'r', ...save }, async (run) => {
      streams.publish(run, 'a');
      await (where === 'in the save' ? untilCut(run) : run.commit(() => store.promise));
    });
    const items = all(streams.subscribe('r'));
    void control.abort({ runId: 'r' });
    await clock.advance(100);
    expect((await items).at(-1)).toMatchObject({ type: 'end', saved: { state } });
    store.open();
    await work;
    await flush();
  });
});

describe('delete', () => {
  test('takes what a session has published, of ended and of live runs, and says so to who follows (J12)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const ended = await begin(control, { runId: 'ended', sessionKey: ['ada', 'chat'] });
    streams.publish(ended, 'a');
    ended.complete();
    const live = await begin(control, { runId: 'live', sessionKey: ['ada', 'chat'] });
    const other = await begin(control, { runId: 'other', sessionKey: ['eve', 'chat'] });
    for (const run of [live, other]) for (const event of ['a', 'b']) streams.publish(run, event);
    const slow = streams.subscribe('live')?.[Symbol.asyncIterator]();
    await slow?.next();
    streams.delete(['ada', 'chat']);
    streams.publish(live, 'c');
    for (const run of [live, other]) run.complete();
    expect(shown(await all(streams.subscribe('ended')))).toEqual(['gap 1-1', 'end completed 1']);
    expect(shown(await all(streams.subscribe('live')))).toEqual(['gap 1-2', 'event 3', 'end completed 3']);
    expect(shown(await all(streams.subscribe('other')))).toEqual(['event 1', 'event 2', 'end completed 2']);
    expect((await slow?.next())?.value).toMatchObject({ type: 'gap', from: 2, to: 2 });
    await slow?.return?.();
    expect(JSON.stringify(await all(streams.subscribe('ended')))).not.toContain('"a"');
  });
});

describe('watchers (J13)', () => {
  test('are counted, and each change is told in its tick, until the run is over', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const told: (readonly [number, number])[] = [];
    const off = streams.onWatchers(({ watchers }) => told.push([watchers, streams.watchers('r')]));
    const run = await begin(control, { runId: 'r' });
    const [one, two] = [1, 2].map(() => streams.subscribe('r')?.[Symbol.asyncIterator]());
    expect(told).toEqual([
      [1, 1],
      [2, 2],
    ]);
    void one?.return?.();
    void two?.return?.();
    expect(told.slice(2)).toEqual([
      [1, 1],
      [0, 0],
    ]);
    void all(streams.subscribe('r'));
    run.complete();
    await flush();
    void all(streams.subscribe('r'));
    await flush();
    expect(told.slice(4)).toEqual([[1, 1]]);
    off();
    off();
    expect(streams.watchers('unknown')).toBe(0);
  });

  test('let a host stop a run that nobody watches any more', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    streams.onWatchers(({ runId, watchers }) => {
      if (watchers === 0) void control.abort({ runId }, { reason: 'disconnect' });
    });
    const work = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    const gone = new AbortController();
    const items = all(streams.subscribe('r', { signal: gone.signal }));
    await flush();
    gone.abort();
    expect(await items).toEqual([]);
    expect(await work).toMatchObject({ status: 'aborted', reason: 'disconnect' });
  });

  test('of a queued run are counted too, and a listener that throws or rejects breaks nothing', async () => {
    const { control, errors } = tracked();
    const streams = createRunStreams<string>(control);
    const events: WatchersEvent[] = [];
    streams.onWatchers((event) => {
      Object.assign(event, { watchers: 100 });
      throw new Error('thrown');
    });
    streams.onWatchers(() => Promise.reject(new Error('rejected')));
    streams.onWatchers((event) => events.push(event));
    const first = await begin(control);
    const second = control.run({ sessionKey: 's', runId: 'q', whenBusy: 'enqueue' }, () => 1);
    const items = all(streams.subscribe('q'));
    await flush();
    expect(events).toEqual([{ runId: 'q', sessionKey: 's', generation: 0, watchers: 1 }]);
    expect(errors).toHaveLength(2);
    first.complete();
    await second;
    expect(shown(await items)).toEqual(['end completed 0']);
  });
});
