import { createRunStreams, type Merge } from 'runfence/streams';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';
import { all, merge, type Part, shown, text, textOf, tool } from './support/deltas.js';

const WORDS = Array.from({ length: 200 }, (_, at) => `${at}: ${'x'.repeat(at % 7)}${at % 11 === 0 ? '🦦' : ''} `);

describe('a resume inside a merged entry', () => {
  test('gets exactly the rest, from every number, while the run goes on and after its end (J5)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<Part>(control, { merge });
    const run = await begin(control, { runId: 'r' });
    for (const word of WORDS) streams.publish(run, text(word));
    const live = WORDS.map((_word, after) => all(streams.subscribe('r', { after })));
    run.complete();
    for (const [after, items] of live.entries()) {
      expect(textOf(await items)).toBe(WORDS.slice(after).join(''));
      const late = await all(streams.subscribe('r', { after }));
      expect(textOf(late)).toBe(WORDS.slice(after).join(''));
      expect(shown(late)[0]).toBe(after === 199 ? 'event 200' : `event ${after + 1}-200`);
    }
  });

  test('of one that keeps pace is the event as it was published', async () => {
    const { control } = tracked();
    const streams = createRunStreams<Part>(control, { merge });
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, text('a'));
    const iterator = streams.subscribe('r', { after: 1 })?.[Symbol.asyncIterator]();
    const waiting = iterator?.next();
    const event = text('b');
    streams.publish(run, event);
    const item = (await waiting)?.value;
    if (item?.type !== 'event') return expect.unreachable();
    expect(item.event).toBe(event);
    run.complete();
  });
});

describe('deltas are one entry', () => {
  test('only next to each other, and of one key', async () => {
    const { control } = tracked();
    const byKind: Merge<{ kind?: string; text: string }> = {
      key: ({ kind }) => kind,
      text: (event) => event.text,
      with: (event, value) => ({ ...event, text: value }),
    };
    const streams = createRunStreams(control, { merge: byKind });
    const run = await begin(control, { runId: 'r' });
    for (const [kind, value] of [
      ['a', '1'],
      ['a', '2'],
      ['b', '3'],
      ['a', '4'],
      [undefined, '5'],
      [undefined, '6'],
      ['a', ''],
    ] as const) {
      streams.publish(run, kind === undefined ? { text: value } : { kind, text: value });
    }
    run.complete();
    const items = await all(streams.subscribe('r'));
    expect(items.map((item) => (item.type === 'event' ? item.event : item.type))).toEqual([
      { kind: 'a', text: '12' },
      { kind: 'b', text: '3' },
      { kind: 'a', text: '4' },
      { text: '5' },
      { text: '6' },
      { kind: 'a', text: '' },
      'end',
    ]);
  });

  test('of limited size: what is dropped for room is a part of a text, and never all of it (J8)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<Part>(control, { merge, maxBytes: 8_000 });
    const run = await begin(control, { runId: 'r' });
    for (let at = 0; at < 10_000; at++) streams.publish(run, text('word '));
    run.complete();
    expect(streams.usage.bytes).toBeLessThanOrEqual(8_000);
    const items = await all(streams.subscribe('r'));
    expect(items[0]).toMatchObject({ type: 'gap', from: 1 });
    expect(textOf(items).length).toBeGreaterThan(2_000);
    for (const item of items) if (item.type === 'event') expect(item.seq - item.from).toBeLessThan(100);
    const numbers = items.flatMap((item) => ('from' in item ? [[item.from, 'to' in item ? item.to : item.seq]] : []));
    for (const [at, [from]] of numbers.entries()) expect(from).toBe(at === 0 ? 1 : (numbers[at - 1]?.[1] ?? 0) + 1);
  });

  test('also if they are empty: they count, and their number is limited', async () => {
    const { control } = tracked();
    const streams = createRunStreams<Part>(control, { merge, maxBytes: 4_000 });
    const run = await begin(control, { runId: 'r' });
    for (let at = 0; at < 10_000; at++) streams.publish(run, text(''));
    expect(streams.usage.bytes).toBeLessThanOrEqual(4_000);
    run.complete();
    expect(shown(await all(streams.subscribe('r'))).at(-1)).toBe('end completed 10000');
  });

  test('also if one is longer than an entry may be', async () => {
    const { control } = tracked();
    const streams = createRunStreams<Part>(control, { merge });
    const run = await begin(control, { runId: 'r' });
    const parts = ['a', 'b'.repeat(70_000), 'c', 'd'.repeat(65_535), 'e', 'f'];
    for (const part of parts) streams.publish(run, text(part));
    run.complete();
    for (const [after] of parts.entries()) {
      expect(textOf(await all(streams.subscribe('r', { after })))).toBe(parts.slice(after).join(''));
    }
  });
});

describe('functions that throw harm the stream of their run only (J9)', () => {
  const broken = (where: keyof Merge<Part>, whom: string): Merge<Part> => ({
    ...merge,
    [where]: (part: Part, value: string) => {
      if ((part.type === 'text' && part.text.startsWith(whom)) || value?.startsWith(whom)) throw new Error(where);
      return (merge[where] as (part: Part, value: string) => unknown)(part, value);
    },
  });

  test.each(['key', 'text'] as const)('%s: what is published stands alone, and is all there', async (where) => {
    const { control, errors } = tracked();
    const streams = createRunStreams<Part>(control, { merge: broken(where, '!') });
    const [bad, good] = [
      await begin(control, { runId: 'bad' }),
      await begin(control, { runId: 'good', sessionKey: 't' }),
    ];
    for (const word of ['a', 'b', '!', 'c', '!', 'd']) {
      streams.publish(bad, text(word));
      streams.publish(good, text(word === '!' ? '?' : word));
    }
    for (const run of [bad, good]) run.complete();
    const items = await all(streams.subscribe('bad'));
    expect(shown(items)).toEqual(['event 1-2', 'event 3', 'event 4', 'event 5', 'event 6', 'end completed 6']);
    expect(textOf(items)).toBe('ab!c!d');
    expect(shown(await all(streams.subscribe('good')))).toEqual(['event 1-6', 'end completed 6']);
    expect(errors).toHaveLength(1);
  });

  test('with: what cannot be made is a gap, the rest is delivered, and onError is told once', async () => {
    const { control, errors } = tracked();
    const streams = createRunStreams<Part>(control, { merge: broken('with', 'ab') });
    const run = await begin(control, { runId: 'r' });
    for (const word of ['a', 'b', 'c']) streams.publish(run, text(word));
    streams.publish(run, tool('t'));
    run.complete();
    for (let times = 0; times < 3; times++) {
      expect(shown(await all(streams.subscribe('r')))).toEqual(['gap 1-3', 'event 4', 'end completed 4']);
    }
    expect(shown(await all(streams.subscribe('r', { after: 1 })))).toEqual(['event 2-3', 'event 4', 'end completed 4']);
    expect(errors).toHaveLength(1);
  });

  test.each([
    ['a key that is no string', { key: () => 1 }],
    ['a text that is a promise', { text: () => Promise.resolve('a') }],
    ['a text that is no string', { text: () => undefined }],
  ])('%s', async (_what, wrong) => {
    const { control, errors } = tracked();
    const streams = createRunStreams<Part>(control, { merge: { ...merge, ...wrong } as unknown as Merge<Part> });
    const run = await begin(control, { runId: 'r' });
    for (const word of ['a', 'b']) streams.publish(run, text(word));
    run.complete();
    expect(textOf(await all(streams.subscribe('r')))).toBe('ab');
    expect(errors).toMatchObject([{ code: 'INVALID_OPTIONS' }]);
    await flush();
  });
});
