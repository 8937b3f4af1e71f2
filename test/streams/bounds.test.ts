import { ADMIN, HOST, type Principal, type Run, type RunControl } from 'runfence';
import { createRunStreams, type RunStreams } from 'runfence/streams';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';
import { all, shown } from './support/deltas.js';

const KB = 1_024;
/** About 1 KiB as an entry: two bytes a character, the quotes, and what an entry takes itself. */
const block = 'x'.repeat((KB - 128) / 2 - 2);

async function record(
  control: RunControl,
  streams: RunStreams<string>,
  runId: string,
  blocks: number,
  owner?: Principal,
) {
  const run = await begin(control, { runId, sessionKey: runId, ...(owner === undefined ? {} : { owner }) });
  for (let at = 0; at < blocks; at++) streams.publish(run, block);
  return run;
}

async function kept(streams: RunStreams<string>, runId: string): Promise<number> {
  return (await all(streams.subscribe(runId))).filter((item) => item.type === 'event').length;
}

function endAll(...runs: readonly Run[]): void {
  for (const run of runs) run.complete();
}

describe('what a run keeps', () => {
  test('is limited in number and in bytes, and what is dropped is a gap (J8)', async () => {
    for (const limits of [{ maxEvents: 3 }, { maxBytes: 3 * KB }]) {
      const { control } = tracked();
      const streams = createRunStreams<string>(control, limits);
      const run = await record(control, streams, 'r', 10);
      expect(streams.usage.bytes).toBe(3 * KB);
      run.complete();
      expect(shown(await all(streams.subscribe('r', { after: 2 })))).toEqual([
        'gap 3-7',
        'event 8',
        'event 9',
        'event 10',
        'end completed 10',
      ]);
    }
  });

  test('is seen by a slow subscriber as a gap where it fell behind; it does not slow the run (J8)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control, { maxEvents: 2 });
    const run = await begin(control, { runId: 'r' });
    streams.publish(run, '1');
    const slow = streams.subscribe('r')?.[Symbol.asyncIterator]();
    const got = [(await slow?.next())?.value];
    for (const event of ['2', '3', '4', '5']) streams.publish(run, event);
    for (let at = 0; at < 3; at++) got.push((await slow?.next())?.value);
    expect(shown(got.flatMap((item) => item ?? []))).toEqual(['event 1', 'gap 2-3', 'event 4', 'event 5']);
    run.complete();
  });

  test('has the newest event, whatever its size, while the run goes on', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control, { maxBytes: KB, totalBytes: KB });
    const run = await begin(control, { runId: 'r' });
    const live = all(streams.subscribe('r'));
    await flush();
    streams.publish(run, 'small');
    await flush();
    streams.publish(run, 'x'.repeat(10 * KB));
    await flush();
    expect(streams.usage.bytes).toBeGreaterThan(20 * KB);
    run.complete();
    expect(shown(await live)).toEqual(['event 1', 'event 2', 'end completed 2']);
    expect(streams.usage.bytes).toBe(0);
    expect(shown(await all(streams.subscribe('r')))).toEqual(['gap 1-2', 'end completed 2']);
  });
});

describe('what all runs keep', () => {
  test('is limited: ended runs go first, oldest first, and their ends stay (J8)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control, { totalBytes: 10 * KB });
    const live = await record(control, streams, 'live', 2);
    for (const runId of ['a', 'b', 'c']) endAll(await record(control, streams, runId, 2));
    const next = await record(control, streams, 'd', 3);
    expect(streams.usage.bytes).toBeLessThanOrEqual(10 * KB);
    endAll(live, next);
    expect(await Promise.all(['live', 'a', 'b', 'c', 'd'].map((runId) => kept(streams, runId)))).toEqual([
      2, 0, 2, 2, 3,
    ]);
    expect(shown(await all(streams.subscribe('a')))).toEqual(['gap 1-2', 'end completed 2']);
  });

  test('if nothing has ended, the run that grows loses its own oldest, and no other', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control, { totalBytes: 6 * KB });
    const first = await record(control, streams, 'first', 3);
    const second = await record(control, streams, 'second', 10);
    expect(streams.usage.bytes).toBe(6 * KB);
    endAll(first, second);
    expect([await kept(streams, 'first'), await kept(streams, 'second')]).toEqual([3, 3]);
  });

  test('is exactly what is there, through deaths, deletions and ends', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 100 } });
    const streams = createRunStreams<string>(control, { totalBytes: 20 * KB, maxBytes: 4 * KB });
    for (let at = 0; at < 50; at++) {
      const run = await record(control, streams, `r${at}`, at % 9, { userId: `u${at % 3}` });
      if (at % 5 === 0) streams.delete(`r${at}`);
      endAll(run);
      if (at % 20 === 19) await clock.advance(60);
      expect(streams.usage.bytes).toBeLessThanOrEqual(20 * KB);
    }
    await clock.advance(100);
    expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
  });
});

describe('a principal', () => {
  const ada = { userId: 'ada' };
  const eve = { userId: 'eve' };

  test('that publishes more than its share flushes its own records, and nobody else’s (J10)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control, { totalBytes: 16 * KB, perPrincipal: { maxBytes: 4 * KB } });
    endAll(await record(control, streams, 'ada', 3, ada));
    for (let at = 0; at < 20; at++) endAll(await record(control, streams, `eve${at}`, 1, eve));
    expect(await kept(streams, 'ada')).toBe(3);
    expect(await kept(streams, 'eve19')).toBe(1);
    expect(await kept(streams, 'eve0')).toBe(0);
    expect(streams.usage.bytes).toBe(7 * KB);
  });

  test('with more than a fair share pays for a full store, also below its limit (J10)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control, { totalBytes: 10 * KB, perPrincipal: { maxBytes: 9 * KB } });
    endAll(await record(control, streams, 'ada', 3, ada));
    for (let at = 0; at < 30; at++)
      endAll(await record(control, streams, `eve${at}`, 1, { userId: 'eve', connId: `c${at}` }));
    expect(await kept(streams, 'ada')).toBe(3);
    expect(streams.usage.bytes).toBe(10 * KB);
  });

  test('that is the host has the limit of all', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control, { totalBytes: 10 * KB, perPrincipal: { maxBytes: KB } });
    endAll(await record(control, streams, 'r', 8));
    expect(await kept(streams, 'r')).toBe(8);
  });

  test('has so many subscribers, and another one has its own (J10)', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control, { maxSubscribers: 5, perPrincipal: { maxSubscribers: 2 } });
    const run = await begin(control, { runId: 'r', owner: ada });
    const follow = (requester: Principal | typeof ADMIN | typeof HOST) => {
      const iterator = streams.subscribe('r', { requester })?.[Symbol.asyncIterator]();
      if (iterator === undefined) throw new Error('There is no such run.');
      return iterator;
    };
    const device = { ...ada, deviceId: 'phone' };
    const first = follow(ada);
    follow(device);
    const refused = expect.objectContaining({ code: 'TOO_MANY_SUBSCRIBERS' });
    expect(() => follow(ada)).toThrow(refused);
    expect(() => streams.subscribe('r', { requester: { ...ada, connId: 'c' } })).toThrow(refused);
    const pending = streams.subscribe('r', { requester: ADMIN });
    for (const requester of [ADMIN, HOST, ADMIN] as const) follow(requester);
    expect(() => streams.subscribe('r')).toThrow(refused);
    expect(() => pending?.[Symbol.asyncIterator]()).toThrow(refused);
    expect(streams.usage.subscribers).toBe(5);
    await first.return?.();
    await first.return?.();
    expect(streams.usage.subscribers).toBe(4);
    follow(ada);
    run.complete();
    await flush();
  });

  test('whose subscribers are never ended is not locked out for ever: they count until the run is forgotten', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 100 } });
    const streams = createRunStreams<string>(control, { perPrincipal: { maxSubscribers: 2 } });
    const abandoned: AsyncIterator<unknown>[] = [];
    for (const runId of ['a', 'b']) {
      const run = await record(control, streams, runId, 1, ada);
      const iterator = streams.subscribe(runId, { requester: ada })?.[Symbol.asyncIterator]();
      await iterator?.next();
      abandoned.push(...(iterator === undefined ? [] : [iterator]));
      run.complete();
    }
    const run = await record(control, streams, 'c', 1, ada);
    expect(() => streams.subscribe('c', { requester: ada })).toThrow(
      expect.objectContaining({ code: 'TOO_MANY_SUBSCRIBERS' }),
    );
    await clock.advance(100);
    expect(streams.usage.subscribers).toBe(0);
    expect(streams.subscribe('c', { requester: ada })).toBeDefined();
    run.complete();
    // One of them reads on: it has what it had not got.
    expect(await abandoned[0]?.next()).toMatchObject({ value: { type: 'end' } });
    expect(streams.usage.subscribers).toBe(0);
  });
});

describe('options', () => {
  test.each([
    [{ maxEvent: 1 }],
    [{ maxEvents: 0 }],
    [{ maxBytes: '1' }],
    [{ totalBytes: Number.NaN }],
    [{ maxSubscribers: -1 }],
    [{ perPrincipal: 1 }],
    [{ perPrincipal: { bytes: 1 } }],
    [{ perPrincipal: { maxBytes: 0 } }],
    [{ merge: {} }],
    [{ merge: null }],
    [[]],
    [null],
  ])('%j of createRunStreams are refused', (options) => {
    const { control } = tracked();
    expect(() => createRunStreams(control, options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
  });

  test.each([
    [{ from: 1 }],
    [{ after: -1 }],
    [{ after: 1.5 }],
    [{ after: '1' }],
    [{ after: { seq: 1 } }],
    [{ after: null }],
    [{ after: { generation: 1 } }],
    [{ signal: {} }],
    [{ requester: undefined }],
    [{ requester: {} }],
    [null],
  ])('%j of subscribe are refused, for a run that is known and for one that is not', async (options) => {
    const { control } = tracked();
    const streams = createRunStreams(control);
    const run = await begin(control, { runId: 'r' });
    for (const runId of ['r', 'unknown']) {
      expect(() => streams.subscribe(runId, options as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS' }),
      );
    }
    run.complete();
  });

  test('a control, a run id and a listener are needed', () => {
    const { control } = tracked();
    const refused = expect.objectContaining({ code: 'INVALID_OPTIONS' });
    expect(() => createRunStreams({} as never)).toThrow(refused);
    expect(() => createRunStreams(control).subscribe(1 as never)).toThrow(refused);
    expect(() => createRunStreams(control).onWatchers(1 as never)).toThrow(refused);
    expect(() => createRunStreams(control).delete('')).toThrow(refused);
  });
});
