import { createRunStreams, type StreamItem } from 'runfence/streams';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { queued } from '../support/queued.js';
import { tracked } from '../support/tracked.js';
import { gate, untilCut } from '../support/work.js';
import { all, merge, type Part, shown, text, textOf, tool } from './support/deltas.js';

describe('a subscriber', () => {
  test('gets what was published, then what is published, then the end (J1)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    expect(streams.publish(run, 'a')).toBe(1);
    const items = all(streams.subscribe('r'));
    await flush();
    expect(streams.publish(run, 'b')).toBe(2);
    await flush();
    run.complete();
    const { generation } = run;
    expect(await items).toEqual([
      { type: 'event', generation, seq: 1, from: 1, event: 'a' },
      { type: 'event', generation, seq: 2, from: 2, event: 'b' },
      { type: 'end', generation, seq: 2, status: 'completed', reason: undefined, saved: { state: 'none' } },
    ]);
    expect(streams.usage).toEqual({ runs: 1, bytes: expect.any(Number), subscribers: 0 });
  });

  test('gets what is behind its position only, given as an item or as a number (J2)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r' });
    for (const event of ['a', 'b', 'c']) streams.publish(run, event);
    run.complete();
    const first = await all(streams.subscribe('r'));
    const [, second] = first;
    if (second?.type !== 'event') return expect.unreachable();
    expect(await all(streams.subscribe('r', { after: second }))).toEqual(first.slice(2));
    expect(await all(streams.subscribe('r', { after: 2 }))).toEqual(first.slice(2));
    expect(shown(await all(streams.subscribe('r', { after: 100 })))).toEqual(['end completed 3']);
  });

  test('of a stopped run gets the cut at the cut, and the end when all is saved (J3)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const store = gate();
    void control.run({ sessionKey: 's', runId: 'r', save: () => store.promise }, async (run) => {
      streams.publish(run, 'a');
      await untilCut(run);
    });
    const items: StreamItem<string>[] = [];
    const following = (async () => {
      for await (const item of streams.subscribe('r') ?? []) items.push(item);
    })();
    await flush();
    void control.abort({ runId: 'r' });
    await flush();
    expect(shown(items)).toEqual(['event 1', 'cut user']);
    store.open();
    await following;
    expect(items.at(-1)).toMatchObject({ type: 'end', reason: 'user', saved: { state: 'saved', how: 'cut' } });
  });

  test('of a run that failed learns that, and not why (J3)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const work = control.run({ sessionKey: 's', runId: 'r', save: () => {} }, async (run) => {
      streams.publish(run, 'a');
      throw new Error('secret');
    });
    await expect(work).rejects.toThrow('secret');
    const items = await all(streams.subscribe('r'));
    expect(items.at(-1)).toMatchObject({ type: 'end', status: 'failed', saved: { state: 'saved', how: 'failed' } });
    expect(JSON.stringify(items)).not.toContain('secret');
  });

  test('of a queued run waits for its first event (J4)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const first = await begin(control);
    const second = await queued(control, { runId: 'q' });
    const items = all(streams.subscribe('q', { after: { generation: 0, seq: 0 } }));
    first.complete();
    const started = await second.started;
    if (started.status !== 'started') return expect.unreachable();
    streams.publish(started.run, 'a');
    started.run.complete();
    expect(await items).toMatchObject([
      { type: 'restart', generation: started.run.generation },
      { type: 'event', seq: 1, event: 'a', generation: started.run.generation },
      { type: 'end', status: 'completed' },
    ]);
  });

  test('of a run that was dropped while it waited gets cut and end (J4)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const first = await begin(control);
    await queued(control, { runId: 'q' });
    const items = all(streams.subscribe('q'));
    void control.abort({ runId: 'q' });
    expect(shown(await items)).toEqual(['cut user', 'end aborted 0']);
    expect(shown(await all(streams.subscribe('q')))).toEqual(['cut user', 'end aborted 0']);
    first.complete();
  });

  test('of a run that ended before it had published gets the end, and does not hang (J4)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    await control.run({ sessionKey: 's', runId: 'r' }, () => 1);
    expect(shown(await all(streams.subscribe('r')))).toEqual(['end completed 0']);
    expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
  });
});

test('who comes to a session follows its newest live run from its first event on (F9)', async () => {
  const { control } = tracked();
  const streams = createRunStreams<string>(control);
  const old = await begin(control, { runId: 'old' });
  streams.publish(old, 'old');
  const run = await begin(control, { runId: 'new' });
  streams.publish(run, 'a');
  const runId = control.runs.session('s').activeRunIds.at(-1) ?? '';
  const items = all(streams.subscribe(runId));
  streams.publish(run, 'b');
  for (const each of [old, run]) each.complete();
  expect(await items).toMatchObject([{ event: 'a' }, { event: 'b' }, { type: 'end' }]);
});

describe('merged events', () => {
  test('are one entry, of which a resume gets the rest (J5)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<Part>(control, { merge });
    const run = await begin(control, { runId: 'r' });
    for (const word of ['Otters ', 'hold ', 'hands']) streams.publish(run, text(word));
    streams.publish(run, tool('search'));
    streams.publish(run, text('.'));
    run.complete();
    const items = await all(streams.subscribe('r'));
    expect(shown(items)).toEqual(['event 1-3', 'event 4', 'event 5', 'end completed 5']);
    expect(textOf(items)).toBe('Otters hold hands.');
    const resumed = await all(streams.subscribe('r', { after: 1 }));
    expect(shown(resumed)).toEqual(['event 2-3', 'event 4', 'event 5', 'end completed 5']);
    expect(textOf(resumed)).toBe('hold hands.');
  });
});
