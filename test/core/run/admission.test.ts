import { type Run, type RunControl, RunfenceError, type RunStatus, type WhenBusy } from 'runfence';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };

/** What is in the session before the new run. */
const SESSIONS = {
  idle: async () => [],
  running: async (control: RunControl) => [await begin(control)],
  'running and queued': async (control: RunControl) => [await begin(control), (await queued(control)).run],
  stopping: async (control: RunControl) => {
    const run = await begin(control);
    await control.abort({ runId: run.id });
    return [run];
  },
};

type Row = [WhenBusy, keyof typeof SESSIONS, string, RunStatus[]];

// `aborted`: dropped from the queue. `stopping`: cut, and its holder has not finished.
const rows: Row[] = [
  ['interrupt', 'idle', 'started', []],
  ['interrupt', 'running', 'started', ['stopping']],
  ['interrupt', 'running and queued', 'started', ['stopping', 'aborted']],
  ['interrupt', 'stopping', 'started', ['stopping']],
  ['enqueue', 'idle', 'started', []],
  ['enqueue', 'running', 'queued', ['running']],
  ['enqueue', 'running and queued', 'queued', ['running', 'queued']],
  ['enqueue', 'stopping', 'started', ['stopping']],
  ['reject', 'idle', 'started', []],
  ['reject', 'running', 'rejected', ['running']],
  ['reject', 'running and queued', 'rejected', ['running', 'queued']],
  ['reject', 'stopping', 'started', ['stopping']],
  ['concurrent', 'idle', 'started', []],
  ['concurrent', 'running', 'started', ['running']],
  ['concurrent', 'running and queued', 'started', ['running', 'queued']],
  ['concurrent', 'stopping', 'started', ['stopping']],
];

test.each(rows)('%s in a session that is %s: %s', async (whenBusy, session, status, others) => {
  const { control } = tracked();
  const before = await SESSIONS[session](control);
  const begun = await control.runs.begin({ sessionKey: 's', whenBusy });
  expect(begun.status).toBe(status);
  expect(before.map((run) => run.status)).toEqual(others);
  if (begun.status === 'rejected') {
    expect(begun).toMatchObject({ cause: 'busy', runIds: before.map(({ id }) => id) });
  }
  await control.abort('all');
  for (const run of before) run.fail(undefined);
  if (begun.status === 'started') begun.run.complete();
});

test('the default is interrupt, and a control may set another (H3)', async () => {
  const { control } = tracked({ defaults: { whenBusy: 'reject' } });
  const first = await begin(control);
  expect(control.runs.beginSync({ sessionKey: 's' })).toMatchObject({ status: 'rejected', cause: 'busy' });
  const second = await begin(control, { whenBusy: 'interrupt' });
  expect(first.reason).toBe('superseded');
  first.complete();
  second.complete();
});

test('another session is never in the way', async () => {
  const { control } = tracked();
  const runs = [await begin(control, { sessionKey: 'a' }), await begin(control, { sessionKey: 'b' })];
  expect(runs.map((run) => run.isCurrent())).toEqual([true, true]);
  for (const run of runs) run.complete();
});

describe('an abort in the same tick', () => {
  test('as begin finds the run, whose handle is cut (A2)', async () => {
    const { control } = tracked();
    const begun = begin(control);
    expect(await control.abort({ sessionKey: 's' })).toMatchObject({ result: 'aborted' });
    const run = await begun;
    expect(run.signal.aborted).toBe(true);
    run.complete();
  });

  test.each(['run', 'start', 'stream'] as const)('as %s finds the run (A55)', async (form) => {
    const { control } = tracked();
    const work = async (run: Run) => {
      await untilCut(run);
      return new ReadableStream();
    };
    const begin: RunControl['start'] = control[form] as RunControl['start'];
    const answer = begin({ sessionKey: 's', runId: 'r' }, work);
    expect(await control.abort({ sessionKey: 's' })).toMatchObject({ result: 'aborted', runIds: ['r'] });
    const answered = await answer;
    expect('outcome' in answered ? await answered.outcome : answered).toMatchObject({
      status: 'aborted',
      reason: 'user',
    });
  });
});

describe('a storm of takeovers', () => {
  test('never has two current runs or none, and generations only rise (A9, D2, D3, I12)', () => {
    const { control } = tracked();
    let generation = 0;
    const runs = Array.from({ length: 1_000 }, () => {
      const begun = control.runs.beginSync({ sessionKey: 's' });
      if (begun.status !== 'started') throw new Error(begun.status);
      expect(control.runs.session('s').activeRunIds).toEqual([begun.run.id]);
      expect(begun.run.generation).toBeGreaterThan(generation);
      generation = begun.run.generation;
      return begun.run;
    });
    expect(runs.filter((run) => run.isCurrent())).toEqual(runs.slice(-1));
    for (const run of runs) run.complete();
  });

  test('of running work lets exactly the last one finish', async () => {
    const { control } = tracked();
    const outcomes = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => control.run({ sessionKey: 's' }, () => flush().then(() => i))),
    );
    expect(outcomes.filter(({ status }) => status !== 'aborted')).toEqual([{ status: 'completed', value: 999 }]);
    await flush();
  });
});

test('a run that begins in an abort listener of a takeover is newer than the takeover, and survives it', async () => {
  const { control } = tracked();
  const old = await begin(control, { runId: 'old' });
  const heard: string[] = [];
  for (const event of ['run:started', 'run:aborted', 'run:ended', 'run:quiet'] as const) {
    control.on(event, ({ run }) => heard.push(`${event} ${run.runId}`));
  }
  const inner: Promise<unknown>[] = [];
  old.signal.addEventListener('abort', () => inner.push(begin(control, { runId: 'inner' })));
  expect(control.runs.beginSync({ sessionKey: 's', runId: 'takeover' })).toMatchObject({
    status: 'aborted',
    reason: 'superseded',
  });
  const [newest] = (await Promise.all(inner)) as Awaited<ReturnType<typeof begin>>[];
  expect(newest?.isCurrent()).toBe(true);
  // Nobody was told of the takeover's run, so nobody is told of its end.
  expect(heard.filter((line) => line.endsWith('takeover'))).toEqual([]);
  old.complete();
  newest?.complete();
});

test('a run that a listener aborts at its start is answered aborted, and its work is never called', async () => {
  const { control } = tracked();
  control.on('run:started', ({ run }) => control.abort({ runId: run.runId }));
  let calls = 0;
  const answer = await control.start({ sessionKey: 's' }, () => {
    calls += 1;
  });
  expect(answer).toMatchObject({ status: 'aborted', reason: 'user' });
  expect(calls).toBe(0);
});

describe('authority', () => {
  test('a forbidden takeover cuts nothing, not even the runs that it might have cut, and names nobody', async () => {
    const { control } = tracked();
    const runs = [
      await begin(control, { owner: eve }),
      await begin(control, { owner: ada, whenBusy: 'concurrent' }),
      (await queued(control, { owner: eve })).run,
    ];
    expect(control.runs.beginSync({ sessionKey: 's', owner: eve })).toEqual({
      status: 'rejected',
      cause: 'forbidden',
      runIds: [],
      leftovers: [],
    });
    expect(runs.map(({ status }) => status)).toEqual(['running', 'running', 'queued']);
    for (const run of runs) run.fail(undefined);
  });

  test('a refused run is told only of the runs that its owner may read (E1)', async () => {
    const { control } = tracked();
    const own = await begin(control, { owner: eve });
    const foreign = await begin(control, { owner: ada, whenBusy: 'concurrent' });
    expect(control.runs.beginSync({ sessionKey: 's', whenBusy: 'reject', owner: eve })).toEqual({
      status: 'rejected',
      cause: 'busy',
      runIds: [own.id],
      leftovers: [],
    });
    own.complete();
    foreign.complete();
  });

  test.each(['enqueue', 'concurrent'] as const)('to %s needs no right over the others', async (whenBusy) => {
    const { control } = tracked();
    const foreign = await begin(control, { owner: ada });
    const begun = await control.runs.begin({ sessionKey: 's', owner: eve, whenBusy });
    expect(begun.status).toMatch(/started|queued/);
    foreign.complete();
    if ('run' in begun) (begun.run as typeof foreign).complete();
    await control.abort('all');
  });

  test('who may not start is refused before anything is looked at', async () => {
    const { control } = tracked({
      authorize: ({ action, principal }) => action !== 'start' || principal.userId === 'ada',
    });
    const run = await begin(control, { owner: ada, runId: 'r' });
    expect(control.runs.beginSync({ sessionKey: 's', runId: 'r', owner: eve })).toEqual({
      status: 'rejected',
      cause: 'forbidden',
      runIds: [],
      leftovers: [],
    });
    run.complete();
  });

  test('is asked again when a run that waited for quiet takes over', async () => {
    let isAllowed = true;
    const { control } = tracked({ authorize: ({ action }) => action !== 'supersede' || isAllowed });
    const old = await begin(control, { owner: ada });
    isAllowed = false;
    expect(control.runs.beginSync({ sessionKey: 's', owner: eve, startWhen: 'quiet' })).toMatchObject({
      status: 'rejected',
      cause: 'forbidden',
    });
    expect(old.isCurrent()).toBe(true);
    old.complete();
  });
});

test('a rejected run leaves nothing: its id is free', async () => {
  const { control } = tracked();
  const work = gate();
  const outcome = control.run({ sessionKey: 's' }, () => work.promise);
  expect(control.runs.beginSync({ sessionKey: 's', runId: 'r', whenBusy: 'reject' }).status).toBe('rejected');
  expect(control.runs.get('r')).toBeUndefined();
  work.open();
  await outcome;
  (await begin(control, { runId: 'r', whenBusy: 'reject' })).complete();
});

test('a backend with no number left is not out of reach: GENERATION_EXHAUSTED, and nothing is kept', async () => {
  const exhausted = new FaultyBackend();
  const { control } = tracked({ backend: exhausted });
  const old = await begin(control);
  exhausted.failNext('claim', 'before', new RunfenceError('GENERATION_EXHAUSTED', 'no safe integer is left'));
  await expect(control.start({ sessionKey: 's' }, () => 1)).rejects.toMatchObject({ code: 'GENERATION_EXHAUSTED' });
  expect(control.runs.session('s')).toMatchObject({ activeRunIds: [], stoppingRunIds: [old.id], queuedRunIds: [] });
  old.complete();
});
