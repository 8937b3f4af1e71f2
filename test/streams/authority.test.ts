import { ADMIN, type AuthorityQuestion, HOST } from 'runfence';
import { memory } from 'runfence/backend';
import { createRunStreams } from 'runfence/streams';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';
import { untilCut } from '../support/work.js';
import { all, shown } from './support/deltas.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };

describe('who may subscribe (J14)', () => {
  test('a stranger gets what an unknown run gives, whatever the run does', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control, { perPrincipal: { maxSubscribers: 1 } });
    const states: unknown[] = [];
    const look = (runId: string): void => void states.push(streams.subscribe(runId, { requester: eve }));
    const first = await begin(control, { runId: 'r', owner: ada });
    const second = control.run({ sessionKey: 's', runId: 'q', owner: ada, whenBusy: 'enqueue' }, untilCut);
    for (const runId of ['r', 'q', 'unknown', '']) look(runId);
    streams.publish(first, 'a');
    look('r');
    await control.abort({ runId: 'r' });
    look('r');
    first.complete();
    await flush();
    for (const runId of ['r', 'q']) look(runId);
    await control.abort('all');
    await second;
    look('q');
    expect(states.every((state) => state === undefined)).toBe(true);
    expect(states).toHaveLength(9);
    expect(streams.usage.subscribers).toBe(0);
  });

  test('the owner, the host and ADMIN may', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r', owner: ada });
    streams.publish(run, 'a');
    run.complete();
    for (const requester of [ada, HOST, ADMIN] as const) {
      expect(shown(await all(streams.subscribe('r', { requester })))).toEqual(['event 1', 'end completed 1']);
    }
  });

  test('authorize is asked for subscribe, once, and before anything is looked at or counted', async () => {
    const asked: AuthorityQuestion[] = [];
    const { control } = tracked({
      authorize: (question) => {
        asked.push(question);
        return question.principal.userId === 'friend';
      },
    });
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r', owner: { userId: 'friend' } });
    run.complete();
    asked.length = 0;
    expect(streams.subscribe('r', { requester: eve })).toBeUndefined();
    expect(asked).toEqual([
      {
        action: 'subscribe',
        principal: eve,
        target: { sessionKey: 's', runId: 'r', kind: 'chat', owner: { userId: 'friend' } },
      },
    ]);
    expect(streams.subscribe('r', { requester: { userId: 'friend' } })).toBeDefined();
    expect(asked).toHaveLength(2);
    streams.subscribe('unknown', { requester: eve });
    expect(asked).toHaveLength(2);
  });

  test('authorize that throws, answers later, or ends the run while it is asked', async () => {
    let answer = (): unknown => true;
    const { control, errors } = tracked({ authorize: () => answer() as boolean });
    const streams = createRunStreams<string>(control);
    const run = await begin(control, { runId: 'r', owner: ada });
    streams.publish(run, 'a');
    answer = () => {
      throw new Error('database');
    };
    expect(streams.subscribe('r', { requester: ada })).toBeUndefined();
    answer = () => Promise.resolve(true);
    expect(streams.subscribe('r', { requester: ada })).toBeUndefined();
    expect(errors).toHaveLength(2);
    answer = () => run.complete();
    expect(shown(await all(streams.subscribe('r', { requester: ada })))).toEqual(['event 1', 'end completed 1']);
  });

  test('authorize that ends a run without events while it is asked, or lets it be forgotten', async () => {
    for (const ttlMs of [0, 1_000]) {
      let ends = (): void => {};
      const authorize = (): boolean => {
        ends();
        return true;
      };
      const { control } = tracked({ retention: { ttlMs }, authorize });
      const streams = createRunStreams<string>(control);
      const run = await begin(control, { runId: 'r', owner: ada });
      ends = () => void run.complete();
      const source = streams.subscribe('r', { requester: ada });
      if (ttlMs === 0) expect(source).toBeUndefined();
      else expect(shown(await all(source))).toEqual(['end completed 0']);
      expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
    }
  });
});

describe('runs of other processes', () => {
  test.each(['at once', 'later'])(
    'are unknown here, on a backend that answers %s: undefined, and no empty stream (J14)',
    async (how) => {
      const state = memory();
      const open = () => (how === 'later' ? new FaultyBackend({ over: state, scope: 'cluster' }) : state);
      const here = tracked({ backend: open() });
      const there = tracked({ backend: open() }, here.clock);
      const streams = [createRunStreams<string>(here.control), createRunStreams<string>(there.control)] as const;
      const work = here.control.run({ sessionKey: 's', runId: 'r' }, async (run) => {
        streams[0].publish(run, 'a');
        await untilCut(run);
      });
      await here.clock.advance(10);
      expect(streams[1].subscribe('r')).toBeUndefined();
      const items = all(streams[0].subscribe('r'));
      const stopping = there.control.abort({ runId: 'r' });
      await here.clock.advance(10);
      await stopping;
      await here.clock.advance(10);
      await work;
      expect(shown(await items)).toEqual(['event 1', 'cut user', 'end aborted 1']);
    },
  );
});

describe('a backend that answers later', () => {
  test('a completion that was too late is a stop for those who follow, too', async () => {
    const backend = new FaultyBackend({ over: memory(), scope: 'cluster' });
    const { control, clock } = tracked({ backend });
    const other = tracked({ backend: new FaultyBackend({ over: memory(), scope: 'cluster' }) }, clock);
    const streams = createRunStreams<string>(control);
    const run = await Promise.all([begin(control, { runId: 'r' }), clock.advance(10)]).then(([begun]) => begun);
    streams.publish(run, 'a');
    const items = all(streams.subscribe('r'));
    backend.hold('end');
    run.complete();
    await clock.advance(10);
    expect(control.runs.get('r')).toMatchObject({ status: 'stopping', reason: undefined });
    const late = all(streams.subscribe('r'));
    backend.release('end');
    await clock.advance(10);
    for (const got of [items, late]) expect(shown(await got)).toEqual(['event 1', 'end completed 1']);
    void other;
  });

  test('a run whose claim fails ends those who already follow it', async () => {
    const backend = new FaultyBackend({ over: memory() });
    const { control, clock } = tracked({ backend });
    const streams = createRunStreams<string>(control);
    backend.failNext('claim');
    const refused = expect(control.run({ sessionKey: 's', runId: 'r' }, () => 1)).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
    });
    const items = all(streams.subscribe('r'));
    await clock.advance(10);
    await refused;
    expect(shown(await items).at(-1)).toBe('end aborted 0');
    expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
  });

  test('a run that is stopped while its claim is on its way ends them, too', async () => {
    const { control, clock } = tracked({ backend: new FaultyBackend({ over: memory() }) });
    const streams = createRunStreams<string>(control);
    const work = control.run({ sessionKey: 's', runId: 'r' }, () => 1);
    const items = all(streams.subscribe('r'));
    void control.abort({ runId: 'r' });
    await clock.advance(10);
    expect(await work).toMatchObject({ status: 'aborted' });
    expect(shown(await items)).toEqual(['cut user', 'end aborted 0']);
    expect(streams.usage.runs).toBe(0);
  });
});
