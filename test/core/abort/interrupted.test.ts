import { AbortRegistry, createRunControl, type Receipt, type Run, type RunReport } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { Feed } from '../../support/sources.js';
import { tracked, upstream } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

const UNREAD = expect.objectContaining({ code: 'SIGNAL_UNREAD' });

/** Stops work that waits for a gate of its own, and reports on its run. */
async function stopped(
  work: (run: Run, model: Promise<void>) => unknown,
): Promise<{ report: RunReport | undefined; unread: readonly unknown[] }> {
  const { control, unread } = tracked();
  const model = gate();
  const outcome = control.run({ sessionKey: 's', runId: 'r' }, (run) => work(run, model.promise));
  await flush();
  const receipt = await control.abort({ runId: 'r' });
  model.open();
  await outcome;
  const { runs } = await receipt.whenQuiet();
  return { report: runs.find(({ runId }) => runId === 'r'), unread };
}

describe('interrupted', () => {
  test.each<[string, (run: Run, model: Promise<void>) => unknown]>([
    ['a model that did not get the signal', (_run, model) => model],
    ['a gated tool that did not', (run, model) => run.gate(() => model)()],
    [
      'a fenced model that did not',
      async (run) => {
        for await (const _part of run.fence(new Feed<string>())) expect.unreachable();
      },
    ],
  ])('is false for %s, although the run is quiet (A78)', async (_what, work) => {
    const { report, unread } = await stopped(work);
    expect(report).toMatchObject({ state: 'quiet', interrupted: false });
    expect(unread).toEqual([UNREAD]);
  });

  test.each<[string, (run: Run, model: Promise<void>) => unknown]>([
    ['the signal was read', (run) => untilCut(run)],
    ['it was read through the controller', (run) => untilCut({ signal: run.controller.signal } as Run)],
    ['the work awaits a child', (run) => run.child({}, untilCut)],
    [
      'the work awaits something attached',
      (run, model) => {
        run.attach({ name: 'process', stop: () => model });
        return model;
      },
    ],
    ['the work awaits a write', (run, model) => run.commit(() => model)],
    [
      'the work looks whether it is current',
      async (run) => {
        while (run.isCurrent()) await flush();
      },
    ],
    [
      'the work throws when it is not current',
      async (run) => {
        for (;;) {
          run.throwIfStale();
          await flush();
        }
      },
    ],
    [
      'the work awaits a fenced ReadableStream',
      async (run) => {
        for await (const _part of run.fence(new ReadableStream<string>()) as unknown as AsyncIterable<string>) {
          expect.unreachable();
        }
      },
    ],
    ['the work reads under the lock', (run, model) => run.read(() => model)],
    [
      'the work waits for the lock',
      (run, model) => {
        void run.commit(() => model);
        return run.commit(() => {});
      },
    ],
  ])('is true where %s', async (_what, work) => {
    const { report, unread } = await stopped(work);
    expect(report).toMatchObject({ interrupted: true });
    expect(unread).toEqual([]);
  });

  test('is true where the work waits for a lock that another run has', async () => {
    const { control, unread } = tracked();
    const other = await begin(control, { runId: 'other' });
    const held = await control.locks.acquire('s', { holder: other });
    const outcome = control.run({ sessionKey: 's', whenBusy: 'concurrent', runId: 'r' }, (run) => run.commit(() => {}));
    await flush();
    const { runs } = await (await control.abort({ runId: 'r' })).whenQuiet();
    expect(runs).toMatchObject([{ interrupted: true }]);
    expect(unread).toEqual([]);
    await held.release();
    other.complete();
    await outcome;
  });

  test('is true where the work itself stops its run', async () => {
    const { control, unread } = tracked();
    const outcome = await control.run({ sessionKey: 's', runId: 'r' }, () => {
      void control.abort({ runId: 'r' });
    });
    if (outcome.status !== 'aborted') throw new Error(outcome.status);
    expect((await outcome.whenQuiet()).runs).toMatchObject([{ interrupted: true }]);
    expect(unread).toEqual([]);
  });

  test.each([
    ['is true where a stream waits for its reader', true],
    ['is false where its work goes on', false],
  ])('%s', async (_what, interrupted) => {
    const { control, unread } = tracked();
    const model = gate();
    const answer = await control.stream({ sessionKey: 's', runId: 'r' }, async function* () {
      yield 'one';
      await model.promise;
      yield 'two';
    });
    if (!('stream' in answer)) throw new Error(answer.status);
    const reader = answer.stream.getReader();
    await reader.read();
    const next = interrupted ? undefined : reader.read().catch(() => {});
    await flush();
    const receipt = await control.abort({ runId: 'r' });
    model.open();
    await next;
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ interrupted }]);
    expect(unread).toHaveLength(interrupted ? 0 : 1);
  });

  test('of work that never ends is told after a moment', async () => {
    const { control, clock, unread } = tracked();
    const model = gate();
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, () => model.promise);
    await flush();
    await control.abort({ runId: 'r' });
    expect(unread).toEqual([]);
    await clock.advance(200);
    expect(unread).toEqual([UNREAD]);
    model.open();
    await outcome;
  });

  test('is true for a run that has not begun, and for one whose work was not called', async () => {
    const { control, unread } = tracked();
    const first = await begin(control);
    const { run } = await queued(control, { runId: 'queued' });
    const dropped = await control.abort({ runId: 'queued' });
    expect((await dropped.whenQuiet()).runs).toMatchObject([{ interrupted: true }]);
    run.complete();
    first.complete();
    const receipts: Promise<Receipt>[] = [];
    control.on('run:started', () => receipts.push(control.abort('all')));
    const outcome = await control.run({ sessionKey: 's' }, () => 'never called');
    expect(outcome.status).toBe('aborted');
    expect((await (await receipts[0])?.whenQuiet())?.runs).toMatchObject([{ interrupted: true }]);
    expect(unread).toEqual([]);
  });

  test('is not known for a handle whose signal nobody read, and no alarm', async () => {
    const { control, unread } = tracked();
    const blind = await begin(control, { sessionKey: 'blind' });
    const reading = await begin(control, { sessionKey: 'reading' });
    void reading.signal;
    const spawning = await begin(control, { sessionKey: 'spawning' });
    spawning.attach({ name: 'process', stop: () => {} });
    const receipt = await control.abort('all');
    for (const run of [blind, reading, spawning]) run.complete();
    const { runs } = await receipt.whenQuiet();
    expect(runs.map(({ interrupted }) => interrupted)).toEqual([undefined, true, true]);
    expect(unread).toEqual([]);
  });

  test('is true where the stop comes from the signal that the host gave to the run: its work may hold it', async () => {
    const { control, unread } = tracked();
    const client = upstream();
    const model = gate();
    const outcome = control.run({ sessionKey: 's', signal: client.signal }, async (run) => {
      const child = run.child({}, () => model.promise);
      await model.promise;
      await child;
    });
    await flush();
    client.abort();
    model.open();
    const aborted = await outcome;
    if (aborted.status !== 'aborted') throw new Error(aborted.status);
    expect((await aborted.whenQuiet()).runs.map(({ interrupted }) => interrupted)).toEqual([true, true]);
    expect(unread).toEqual([]);
  });

  test('reading the signal after the cut is too late', async () => {
    const { report } = await stopped(async (run, model) => {
      await model;
      expect(run.signal.aborted).toBe(true);
    });
    expect(report).toMatchObject({ interrupted: false });
  });

  test('work that has returned awaits nothing: a stop that comes while its end is recorded is no alarm', async () => {
    const backend = new FaultyBackend();
    const { control, unread } = tracked({ backend });
    const { control: other } = tracked({ backend: new FaultyBackend({ over: backend }) });
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, () => 'done');
    await flush();
    await other.abort({ runId: 'r' });
    await outcome;
    await flush();
    expect(unread).toEqual([]);
  });

  test('comes over nodes, and is not known of a node that says nothing', async () => {
    const state = memory();
    const { control: here, clock } = tracked({ backend: new FaultyBackend({ over: state, scope: 'cluster' }) });
    const { control: there } = tracked({ backend: new FaultyBackend({ over: state, scope: 'cluster' }) }, clock);
    const model = gate();
    const deaf = there.run({ sessionKey: 's', runId: 'deaf' }, () => model.promise);
    const hearing = there.run({ sessionKey: 's', whenBusy: 'concurrent', runId: 'hearing' }, untilCut);
    await flush();
    const receipt = await here.abort({ sessionKey: 's' });
    const early = await receipt.whenQuiet({ timeoutMs: 0 });
    expect(early.runs.find(({ runId }) => runId === 'deaf')).toMatchObject({
      state: 'unreported',
      interrupted: undefined,
    });
    model.open();
    await Promise.all([deaf, hearing]);
    await flush();
    const { runs } = await receipt.whenQuiet();
    const told = Object.fromEntries(runs.map(({ runId, interrupted }) => [runId, interrupted]));
    expect(told).toEqual({ deaf: false, hearing: true });
  });
});

describe('SIGNAL_UNREAD', () => {
  test('is told once a control, with the session and the run (A79)', async () => {
    const told: unknown[] = [];
    const { control } = tracked({ onError: (...args) => told.push(args) });
    const model = gate();
    for (const runId of ['r', 'later']) {
      void control.start({ sessionKey: runId, runId }, () => model.promise);
      await control.abort({ runId });
    }
    model.open();
    await flush();
    expect(told).toEqual([[UNREAD, { sessionKey: 'r', runId: 'r' }]]);
  });

  test('is told after the events of the stop, and an onError that throws harms nothing', async () => {
    const told: string[] = [];
    const { control } = tracked({
      onError: () => {
        told.push('error');
        throw new Error('broken reporter');
      },
    });
    control.on('run:aborted', () => told.push('aborted'));
    const model = gate();
    const outcome = control.run({ sessionKey: 's' }, () => model.promise);
    await control.abort('all');
    model.open();
    expect((await outcome).status).toBe('aborted');
    expect(told).toEqual(['aborted', 'error']);
  });

  test('is told of an entry whose signal nobody has read: its stop reaches nobody', async () => {
    const told: unknown[] = [];
    const aborts = new AbortRegistry({ onError: (...args) => told.push(args) });
    const read = aborts.register({ id: 'read', sessionKey: 's' });
    const unread = aborts.register({ id: 'unread', sessionKey: 's' });
    if (!read.registered || !unread.registered) throw new Error('taken');
    void read.signal;
    const receipt = await aborts.abort({ sessionKey: 's' });
    read.release();
    unread.release();
    const { runs } = await receipt.whenQuiet();
    expect(runs.map(({ interrupted }) => interrupted)).toEqual([true, false]);
    expect(told).toEqual([[UNREAD, { sessionKey: 's', runId: 'unread' }]]);
  });

  test('is told to no one where there is no onError', async () => {
    const control = createRunControl();
    const model = gate();
    const outcome = control.run({ sessionKey: 's' }, () => model.promise);
    await control.abort('all');
    model.open();
    expect((await outcome).status).toBe('aborted');
    await control.drain({ graceMs: 0 });
  });
});
