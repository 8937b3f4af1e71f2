import { memory } from 'runfence/backend';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { slow } from '../support/slow.js';
import { tracked } from '../support/tracked.js';
import { gate, untilCut } from '../support/work.js';

const reveal = { reveal: true } as const;

describe('what a snapshot says:', () => {
  test('one run with thousands of tools and children fills no log', async () => {
    const { control } = tracked();
    const stop = gate();
    const outcome = control.run({ sessionKey: 's' }, async (run) => {
      for (let i = 0; i < 500; i += 1) {
        void run.gate(() => stop.promise, { name: `tool ${i}` })();
        void run.child({}, () => stop.promise);
      }
      await stop.promise;
    });
    const { runs } = control.inspect({ limit: 10 });
    const [widest] = runs.filter(({ unfinished }) => unfinished.length > 2);
    expect(widest?.unfinished).toHaveLength(11);
    expect(widest?.unfinished.at(-1)).toBe('and 491 more');
    expect(JSON.stringify(control.inspect({ limit: 10 })).length).toBeLessThan(10_000);
    stop.open();
    await outcome;
  });

  test('nothing of an idle control, and its counts are 0 (F13)', async () => {
    const { control } = tracked();
    await control.run({ sessionKey: 's' }, () => 1);
    expect(control.inspect()).toMatchObject({
      draining: false,
      counts: { queued: 0, running: 0, stopping: 0, abandoned: 0, locks: 0, waitingForLocks: 0 },
      runs: [],
      sessions: [],
      cycles: [],
      omitted: { runs: 0, sessions: 0 },
    });
    expect(control.inspect()).not.toHaveProperty('backend');
  });

  test('a run that works: its age, and what of it is there by name (F13)', async () => {
    const { control, clock } = tracked();
    const run = await begin(control, { runId: 'r', kind: 'agent' });
    const search = gate();
    const searched = run.gate(() => search.promise, { name: 'search' })();
    run.attach({ name: 'browser', stop: () => {} });
    await clock.advance(250);
    expect(control.inspect(reveal)).toMatchObject({
      counts: { running: 1 },
      runs: [
        {
          runId: 'r',
          session: 's',
          kind: 'agent',
          status: 'running',
          ageMs: 250,
          waitsFor: [],
          unfinished: ['work', 'search', 'browser'],
        },
      ],
      sessions: [{ session: 's', running: ['r'], stopping: [], queued: [] }],
    });
    search.open();
    await searched;
    run.complete();
  });

  test('a queued run: since when, and behind whom (F13)', async () => {
    const { control, clock } = tracked();
    const running = control.run({ sessionKey: 's', runId: 'first' }, untilCut);
    const second = control.run({ sessionKey: 's', runId: 'second', whenBusy: 'enqueue' }, () => 2);
    await clock.advance(40);
    const third = control.run({ sessionKey: 's', runId: 'third', whenBusy: 'enqueue' }, () => 3);
    await clock.advance(2);
    const { runs, sessions } = control.inspect(reveal);
    expect(runs.slice(0, 2)).toMatchObject([
      { runId: 'second', status: 'queued', ageMs: 42, waitsFor: [{ for: 'turn', runs: ['first'] }] },
      { runId: 'third', status: 'queued', ageMs: 2, waitsFor: [{ for: 'turn', runs: ['first', 'second'] }] },
    ]);
    expect(sessions).toMatchObject([{ running: ['first'], queued: ['second', 'third'] }]);
    await control.abort({ runId: 'first' });
    await Promise.all([running, second, third]);
  });

  test('a run that is to start when the session is quiet: what is still stopping, and what is left of it (F13)', async () => {
    const { control, clock } = tracked();
    const deaf = gate();
    const stopping = control.run({ sessionKey: 's', runId: 'old' }, (run) =>
      run.gate(() => deaf.promise, { name: 'deaf' })(),
    );
    const next = control.run({ sessionKey: 's', runId: 'next', whenBusy: 'enqueue', startWhen: 'quiet' }, () => 1);
    await control.abort({ runId: 'old' });
    await clock.advance(30);
    const { runs } = control.inspect(reveal);
    expect(runs).toMatchObject([
      { runId: 'old', status: 'stopping', reason: 'user', stoppingMs: 30, unfinished: ['deaf'] },
      { runId: 'next', status: 'queued', waitsFor: [{ for: 'quiet', runs: ['old'] }] },
    ]);
    deaf.open();
    await Promise.all([stopping, next]);
  });

  test('who has the lock of a session, since when, and who waits for it (F13)', async () => {
    const { control, clock } = tracked();
    const writing = gate();
    const writer = await begin(control, { runId: 'writer', whenBusy: 'concurrent' });
    const waiter = await begin(control, { runId: 'waiter', whenBusy: 'concurrent' });
    const written = writer.commit(() => writing.promise);
    const waited = waiter.commit(() => 1);
    const other = control.locks.acquire('s');
    await clock.advance(70);
    const { runs, sessions, counts } = control.inspect(reveal);
    expect(counts).toMatchObject({ locks: 1, waitingForLocks: 2 });
    expect(runs).toMatchObject([
      { runId: 'writer', waitsFor: [], unfinished: ['work', 'commit'] },
      { runId: 'waiter', waitsFor: [{ for: 'lock', session: 's', runs: ['writer'] }] },
    ]);
    expect(sessions).toMatchObject([
      { lock: { state: 'held', runId: 'writer', heldMs: 70, waiting: ['waiter', '-'], epilogues: [] } },
    ]);
    writing.open();
    await Promise.all([written, waited]);
    (await other).release();
    writer.complete();
    waiter.complete();
  });

  test('an epilogue that saves, and who waits behind it (F13)', async () => {
    const { control } = tracked();
    const saving = gate();
    const cut = control.run({ sessionKey: 's', runId: 'cut' }, async (run) => {
      run.epilogue(() => saving.promise);
      await untilCut(run);
    });
    await control.abort({ runId: 'cut' });
    const next = await begin(control, { runId: 'next' });
    const written = next.commit(() => 1);
    const { runs, sessions } = control.inspect(reveal);
    expect(runs).toMatchObject([
      { runId: 'cut', status: 'stopping', unfinished: ['epilogue'] },
      { runId: 'next', waitsFor: [{ for: 'lock', runs: ['cut'] }] },
    ]);
    expect(sessions).toMatchObject([
      { lock: { state: 'saving', runId: 'cut', waiting: ['next'], epilogues: ['cut'] } },
    ]);
    saving.open();
    await Promise.all([cut, written]);
    next.complete();
  });

  test('runs of which one waits for the other, round and round (F13)', async () => {
    const { control, clock } = tracked({ defaults: { lockTimeoutMs: 1_000 } });
    const [a, b] = [
      await begin(control, { runId: 'a', sessionKey: 'x' }),
      await begin(control, { runId: 'b', sessionKey: 'y' }),
    ];
    const [ofA, ofB] = [
      await control.locks.acquire('x', { holder: a }),
      await control.locks.acquire('y', { holder: b }),
    ];
    const crossed = [control.locks.acquire('y', { holder: a }), control.locks.acquire('x', { holder: b })];
    expect(control.inspect(reveal).cycles).toEqual([['a', 'b']]);
    const timedOut = crossed.map((grant) => expect(grant).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' }));
    await clock.advance(1_000);
    await Promise.all(timedOut);
    expect(control.inspect(reveal).cycles).toEqual([]);
    for (const held of [ofA, ofB]) held.release();
    for (const run of [a, b]) run.complete();
  });

  test('a run that waits for itself, and one whose child waits for it (F13)', async () => {
    const { control, clock } = tracked({ defaults: { lockTimeoutMs: 1_000 } });
    const nested = control.run({ sessionKey: 'nested', runId: 'self' }, (run) => run.commit(() => run.commit(() => 1)));
    const family = control.run({ sessionKey: 'family', runId: 'parent' }, (run) =>
      run.commit(async () => {
        await run.child({ runId: 'child' }, (child) => child.commit(() => 1));
      }),
    );
    const failed = [nested, family].map((run) => expect(run).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' }));
    expect(control.inspect(reveal).cycles).toEqual([['self'], ['parent', 'child']]);
    await clock.advance(1_000);
    await Promise.all(failed);
  });

  test('the backend: whether this node may act, and what is not answered (F13)', async () => {
    const { control } = tracked({ backend: memory() });
    expect(control.inspect().backend).toMatchObject({ scope: 'process', open: true, inFlight: 0, unsent: 0 });
    const late = slow();
    late.slow.hold('claim');
    const started = late.control.run({ sessionKey: 's', runId: 'r' }, () => 1);
    expect(late.control.inspect(reveal)).toMatchObject({
      backend: { scope: 'cluster', inFlight: 1 },
      runs: [{ runId: 'r', status: 'queued', waitsFor: [{ for: 'backend', runs: [] }] }],
    });
    late.slow.release('claim');
    await started;
    await flush();
    expect(late.control.inspect().backend).toMatchObject({ inFlight: 0 });
  });

  test('that it drains', async () => {
    const { control } = tracked();
    await control.drain();
    expect(control.inspect()).toMatchObject({ draining: true });
  });
});

describe('a snapshot is safe to log:', () => {
  test('it has no owner, tag, key or id of the host’s, and is plain JSON (F14)', async () => {
    const { control } = tracked();
    const secrets = ['ada', 'laptop', 'secret-tag', 'secret-chat', 'secret-run', 'secret-value', 'secret-child'];
    const owner = { userId: 'ada', deviceId: 'laptop' };
    const running = control.run(
      { sessionKey: 'secret-chat', runId: 'secret-run', owner, tags: ['secret-tag'] },
      (run) => run.child({ runId: 'secret-child' }, untilCut),
    );
    const queued = control.run({ sessionKey: 'secret-chat', owner, whenBusy: 'enqueue' }, () => 'secret-value');
    const held = await control.locks.acquire('secret-chat-2');
    const snapshot = control.inspect();
    const text = JSON.stringify(snapshot);
    for (const secret of secrets) expect(text).not.toContain(secret);
    expect(JSON.parse(text)).toEqual(snapshot);
    expect(snapshot.runs).toHaveLength(3);
    held.release();
    await control.abort('all');
    await Promise.all([running, queued]);
  });

  test('a hash is the same in every snapshot and process; an id that runfence made is shown (F14)', async () => {
    const [one, two] = [tracked().control, tracked().control];
    const runs = [
      await begin(one, { sessionKey: 'chat-1', runId: 'own' }),
      await begin(two, { sessionKey: 'chat-1', runId: 'own' }),
      await begin(one, { sessionKey: 'chat-2' }),
    ];
    const [first, made] = one.inspect().runs;
    expect(first).toMatchObject({ session: two.inspect().runs[0]?.session, runId: two.inspect().runs[0]?.runId });
    expect([first?.session, first?.runId]).toEqual([
      expect.stringMatching(/^#[0-9a-z]+$/),
      expect.stringMatching(/^#/),
    ]);
    expect(made?.session).not.toBe(first?.session);
    expect(made?.runId).toBe(runs[2]?.id);
    for (const run of runs) run.complete();
  });

  test('it is bounded, and says what is left out (F14)', async () => {
    const { control } = tracked();
    const running = Array.from({ length: 5 }, (_, at) => control.run({ sessionKey: `s${at}` }, untilCut));
    const snapshot = control.inspect({ limit: 2 });
    expect(snapshot.runs).toHaveLength(2);
    expect(snapshot.sessions).toHaveLength(2);
    expect(snapshot).toMatchObject({ counts: { running: 5 }, omitted: { runs: 3, sessions: 0 } });
    expect(control.inspect({ limit: 0 })).toMatchObject({ runs: [], sessions: [], omitted: { runs: 5 } });
    await control.abort('all');
    await Promise.all(running);
  });

  test('a long queue takes no long look (F14)', async () => {
    const { control } = tracked();
    const running = Array.from({ length: 3_000 }, () =>
      control.run({ sessionKey: 's', whenBusy: 'enqueue' }, untilCut),
    );
    const snapshot = control.inspect({ limit: 3 });
    expect(snapshot.runs.map(({ status }) => status)).toEqual(['queued', 'queued', 'queued']);
    expect(snapshot.sessions[0]?.queued).toHaveLength(3);
    expect(snapshot).toMatchObject({ counts: { queued: 2_999 }, omitted: { runs: 2_997 }, cycles: [] });
    await control.abort('all');
    await Promise.all(running);
  });

  test('it changes nothing: no event, no entry, no timer (F14)', async () => {
    const { control } = tracked();
    const events: string[] = [];
    const names = ['run:started', 'run:ended', 'session:changed', 'queue:changed', 'lock:granted'] as const;
    for (const name of names) control.on(name, () => events.push(name));
    const running = control.run({ sessionKey: 's' }, untilCut);
    const queued = control.run({ sessionKey: 's', whenBusy: 'enqueue' }, () => 1);
    const [before, sizes] = [[...events], control.runs.sizes];
    control.inspect();
    expect(events).toEqual(before);
    expect(control.runs.sizes).toEqual(sizes);
    await control.abort('all');
    await Promise.all([running, queued]);
  });

  test.each([{ revael: true }, { limit: -1 }, { limit: Number.NaN }, { limit: '3' }, { reveal: 'no' }])(
    'options %j are refused',
    (options) => {
      const { control } = tracked();
      expect(() => control.inspect(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    },
  );
});
