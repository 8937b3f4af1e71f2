import type { RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { runsIn } from '../../support/records.js';
import { BOUND_MS, slow, unavailable } from '../../support/slow.js';
import { tracked } from '../../support/tracked.js';

describe('an abort while the claim is under way', () => {
  const forms = {
    begin: (control: RunControl) => control.runs.begin({ sessionKey: 's', runId: 'r' }),
    start: (control: RunControl, work: () => void) => control.start({ sessionKey: 's', runId: 'r' }, work),
    run: (control: RunControl, work: () => void) => control.run({ sessionKey: 's', runId: 'r' }, work),
    stream: (control: RunControl, work: () => void) =>
      control.stream({ sessionKey: 's', runId: 'r' }, () => {
        work();
        return new ReadableStream();
      }),
  };

  test.each(Object.entries(forms))(
    'in the tick of %s it finds the run, whose work is never called (A58)',
    async (_, form) => {
      const { control, state } = slow();
      let calls = 0;
      const answer = form(control, () => {
        calls += 1;
      });
      const receipt = control.abort({ sessionKey: 's' });
      expect(await answer).toMatchObject({ status: 'aborted', reason: 'user' });
      expect(await receipt).toMatchObject({ result: 'aborted', runIds: ['r'], queuedRunIds: ['r'] });
      await flush();
      expect(calls).toBe(0);
      expect(await runsIn(state)).toEqual([]);
    },
  );

  test.each(['before', 'after'] as const)('ends the generation that came too late (held %s it acts)', async (when) => {
    const { control, slow: backend, state } = slow();
    backend.hold('claim', when);
    const begun = control.runs.begin({ sessionKey: 's' });
    await flush();
    void control.abort({ sessionKey: 's' });
    backend.release('claim');
    expect(await begun).toMatchObject({ status: 'aborted', reason: 'user' });
    await flush();
    expect(await runsIn(state)).toEqual([]);
  });

  test('leaves the session free for a run that was begun before the late answer', async () => {
    const { control, slow: backend } = slow();
    backend.hold('claim', 'after');
    const first = control.runs.begin({ sessionKey: 's' });
    await flush();
    void control.abort({ sessionKey: 's' });
    const second = begin(control, { sessionKey: 's', whenBusy: 'reject' });
    backend.release('claim');
    expect(await first).toMatchObject({ status: 'aborted' });
    (await second).complete();
  });

  test('does not wait for the claim: the cut is in the call, the receipt comes within the bound', async () => {
    const { control, slow: backend, clock } = slow();
    const old = await begin(control, { sessionKey: 's' });
    backend.hold('claim');
    const begun = control.runs.begin({ sessionKey: 's', whenBusy: 'concurrent' });
    await clock.advance(BOUND_MS / 2);
    backend.hold('stop');
    const receipt = control.abort({ sessionKey: 's' });
    expect(old.isCurrent()).toBe(false);
    await clock.advance(BOUND_MS);
    expect(await receipt).toMatchObject({ result: 'aborted', recorded: 'unreachable' });
    backend.release('claim');
    backend.release('stop');
    old.complete();
    expect(await begun).toMatchObject({ status: 'aborted' });
  });

  test('answers aborted, not unavailable, when the claim then fails', async () => {
    const { control, slow: backend } = slow();
    backend.failNext('claim');
    const begun = control.runs.begin({ sessionKey: 's' });
    void control.abort({ sessionKey: 's' });
    expect(await begun).toMatchObject({ status: 'aborted', reason: 'user' });
  });
});

describe('a storm of takeovers', () => {
  test.each([
    { ids: 'generated ids', options: () => ({ sessionKey: 's' }) },
    { ids: 'ids of the caller', options: (i: number) => ({ sessionKey: 's', runId: `r${i}` }) },
  ])('with $ids leaves exactly the newest, whatever order it is answered in', async ({ options }) => {
    const { control, slow: backend, state } = slow();
    const first = await begin(control, { sessionKey: 's' });
    backend.hold('claim');
    const begun = Array.from({ length: 1_000 }, (_, i) => control.runs.begin(options(i)));
    await flush();
    backend.release('claim');
    const answers = await Promise.all(begun);
    const last = answers.pop();
    if (last?.status !== 'started') throw new Error(last?.status);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['aborted']));
    expect(control.runs.session('s').activeRunIds).toEqual([last.run.id]);
    expect(last.run.generation).toBeGreaterThan(first.generation);
    expect((await runsIn(state)).filter(({ status }) => status === 'running')).toHaveLength(1);
    first.complete();
    last.run.complete();
  });

  test('over and over never goes back in generations, and never has two current runs', async () => {
    const { control } = slow();
    const seen: number[] = [];
    for (let round = 0; round < 50; round++) {
      const [a, b] = await Promise.all([
        control.runs.begin({ sessionKey: 's' }),
        control.runs.begin({ sessionKey: 's' }),
      ]);
      expect(a).toMatchObject({ status: 'aborted', reason: 'superseded' });
      if (b.status !== 'started') throw new Error(b.status);
      seen.push(b.run.generation);
      expect(control.runs.session('s').activeRunIds).toEqual([b.run.id]);
      b.run.complete();
    }
    expect(seen).toEqual([...new Set(seen)].sort((x, y) => x - y));
  });
});

describe('two takeovers', () => {
  test('answered out of order: the earlier answer, late, does not become current', async () => {
    const { control, slow: backend, clock } = slow();
    backend.hold('claim', 'after');
    const early = unavailable(control.runs.begin({ sessionKey: 's' }));
    await clock.advance(BOUND_MS);
    await early;
    const late = control.runs.begin({ sessionKey: 's' });
    await flush();
    backend.release('claim');
    const answer = await late;
    if (answer.status !== 'started') throw new Error(answer.status);
    await flush();
    expect(control.runs.session('s').activeRunIds).toEqual([answer.run.id]);
    answer.run.complete();
  });

  test('with ids of the caller: the newer stays, and what is queued behind it', async () => {
    const { control } = slow();
    const old = await begin(control, { sessionKey: 's' });
    const begun = [1, 2].map((n) => control.runs.begin({ sessionKey: 's', runId: `r${n}` }));
    const queuedBehind = queued(control, { sessionKey: 's', whenBusy: 'enqueue' });
    const [first, second] = await Promise.all(begun);
    expect(first).toMatchObject({ status: 'aborted', reason: 'superseded' });
    if (second?.status !== 'started') throw new Error(second?.status);
    const behind = await queuedBehind;
    expect(behind.run.status).toBe('queued');
    second.run.complete();
    expect(await behind.started).toMatchObject({ status: 'started' });
    behind.run.complete();
    old.complete();
  });
});

describe('with an id of the caller', () => {
  test('a takeover cuts only once the id is known to be new', async () => {
    const { control, slow: backend } = slow();
    const old = await begin(control, { sessionKey: 's' });
    backend.hold('claim');
    const next = begin(control, { sessionKey: 's', runId: 'mine' });
    await flush();
    expect(old.isCurrent()).toBe(true);
    expect(control.runs.session('s').queuedRunIds).toEqual(['mine']);
    backend.release('claim');
    (await next).complete();
    expect(old.reason).toBe('superseded');
    old.complete();
  });

  test('a late retry does not kill the newer message', async () => {
    const state = memory();
    const { control: before, clock } = tracked({ backend: state });
    await before.run({ sessionKey: 's', runId: 'first' }, () => 1);
    const { control } = tracked({ backend: new FaultyBackend({ over: state, scope: 'cluster' }) }, clock);
    const newer = await begin(control, { sessionKey: 's' });
    expect(await control.runs.begin({ sessionKey: 's', runId: 'first' })).toMatchObject({
      status: 'duplicate',
      run: { runId: 'first', status: 'completed' },
    });
    expect(newer.isCurrent()).toBe(true);
    newer.complete();
  });

  test('the same id twice in one tick is one run', async () => {
    const { control } = slow();
    const [first, second] = await Promise.all(
      ['a', 'b'].map(() => control.runs.begin({ sessionKey: 's', runId: 'r' })),
    );
    if (first?.status !== 'started') throw new Error(first?.status);
    expect(second).toMatchObject({ status: 'duplicate', run: { runId: 'r' } });
    first.run.complete();
  });
});

test('a run cut before its claim is sent never claims (A68)', async () => {
  const { control, slow: backend } = slow();
  backend.hold('claim');
  const first = begin(control, { sessionKey: 's', whenBusy: 'concurrent' });
  const second = control.runs.begin({ sessionKey: 's', whenBusy: 'concurrent', runId: 'cut' });
  await control.abort({ runId: 'cut' });
  backend.release('claim');
  expect(await second).toMatchObject({ status: 'aborted' });
  (await first).complete();
  expect(backend.calls.filter((call) => call === 'claim')).toHaveLength(1);
});

test('a claim that was begun after a stop is sent after it', async () => {
  const { control, slow: backend } = slow();
  const old = await begin(control, { sessionKey: 's' });
  backend.hold('stop');
  const receipt = control.abort({ sessionKey: 's' });
  const next = begin(control, { sessionKey: 's' });
  const sent = (): string[] => backend.calls.filter((call) => call === 'stop' || call === 'claim').slice(1);
  await flush();
  expect(sent()).toEqual(['stop']);
  backend.release('stop');
  (await next).complete();
  expect(sent()).toEqual(['stop', 'claim']);
  await receipt;
  old.complete();
});

test('beginSync says that it needs a backend which answers at once', () => {
  const { control } = slow();
  expect(() => control.runs.beginSync({ sessionKey: 's' })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS' }),
  );
});

test('a run that has its generation is not told as queued any more, while its start is on the way', async () => {
  const slow = new FaultyBackend();
  const { control } = tracked({ backend: slow });
  const first = await begin(control);
  const second = await control.runs.begin({ sessionKey: 's', whenBusy: 'enqueue' });
  const third = await control.runs.begin({ sessionKey: 's', whenBusy: 'enqueue' });
  if (second.status !== 'queued' || third.status !== 'queued') throw new Error('The runs are not queued.');
  const differences: unknown[] = [];
  control.on('queue:changed', ({ queuedRunIds }) => {
    const shown = control.runs.session('s').queuedRunIds;
    if (shown.join() !== queuedRunIds.join()) differences.push({ queuedRunIds, shown });
  });
  first.complete();
  // The third is cut in the tick in which the second has its generation, and not its start.
  while (second.run.status === 'queued') await Promise.resolve();
  await control.abort({ runId: third.run.id });
  second.run.complete();
  expect(differences).toEqual([]);
});

test('queue:changed shows what session() shows, also a run whose start is being asked for', async () => {
  const { control, slow: backend } = slow();
  const live = await begin(control);
  const waiting = await queued(control);
  backend.hold('claim');
  const asking = control.runs.begin({ sessionKey: 's', runId: 'asking', whenBusy: 'concurrent' });
  const told: unknown[] = [];
  control.on('queue:changed', ({ queuedRunIds }) => told.push([queuedRunIds, control.runs.session('s').queuedRunIds]));
  const receipt = control.abort({ runId: waiting.run.id });
  expect(told).toEqual([[['asking'], ['asking']]]);
  backend.release('claim');
  const begun = await asking;
  if (begun.status !== 'started') throw new Error(begun.status);
  begun.run.complete();
  live.complete();
  await receipt;
});
