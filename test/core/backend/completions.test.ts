import type { Run, RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { runsIn, storedRun } from '../../support/records.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

function slowNode() {
  const state = memory();
  const slow = new FaultyBackend({ over: state, scope: 'cluster' });
  const { control: here, clock, errors } = tracked({ backend: slow });
  const { control: there } = tracked({ backend: state }, clock);
  const told: string[] = [];
  for (const name of ['run:aborted', 'run:ended', 'run:quiet'] as const) {
    here.on(name, ({ run }) => told.push(`${name} ${run.status}`));
  }
  return { state, slow, here, there, clock, errors, told };
}

/** The two ways in which a run has its own result. */
const results: Readonly<Record<string, (run: Run) => boolean>> = {
  completed: (run) => run.complete('value'),
  failed: (run) => run.fail(new Error('broken')),
};

/** What the other node does while the end is on its way. */
const stops: Readonly<Record<string, (there: RunControl) => Promise<unknown>>> = {
  'a stop of the run': (there) => there.abort({ runId: 'r' }, { reason: 'policy' }),
  'a stop of the session': (there) => there.abort({ sessionKey: 's' }, { reason: 'policy' }),
  'a takeover': async (there) => (await begin(there)).complete(),
};

describe.each(Object.entries(results))('a run that has %s', (status, end) => {
  test('is over here at once: not current, and its effects are refused', async () => {
    const { slow, here, told } = slowNode();
    const run = await begin(here, { runId: 'r' });
    const effects: string[] = [];
    const send = run.fence((text: string) => effects.push(text));
    slow.hold('end');
    expect(end(run)).toBe(true);
    send('late');
    expect([run.isCurrent(), effects, end(run)]).toEqual([false, [], false]);
    expect(here.runs.isActive('s')).toBe(false);
    // What became of it is not said before it is certain.
    const outcome = watching(here.wait('r'));
    await flush();
    expect([outcome.state, told]).toEqual(['pending', []]);
    slow.release('end');
    await flush();
    expect(outcome.result).toMatchObject({ status });
    expect(told).toEqual([`run:ended ${status}`]);
  });

  test.each(Object.entries(stops))('and meets %s of the other node that came first was stopped', async (what, stop) => {
    const { slow, here, there, told, state } = slowNode();
    const run = await begin(here, { runId: 'r' });
    slow.isDeaf = true;
    slow.hold('end');
    expect(end(run)).toBe(true);
    const outcome = here.wait('r');
    await flush();
    await stop(there);
    slow.release('end');
    const reason = what === 'a takeover' ? 'superseded' : 'policy';
    expect(await outcome).toMatchObject({ status: 'aborted', reason });
    await flush();
    expect(told).toEqual(['run:aborted stopping', 'run:ended stopping', 'run:quiet aborted']);
    expect(run.signal.reason).toMatchObject({ code: 'RUN_ABORTED', reason });
    expect(await storedRun(state)).toMatchObject({ status: 'aborted', reason });
    expect(await there.wait('r')).toMatchObject({ status: 'aborted', reason });
  });

  test.each(Object.entries(stops))('and is ended before %s of the other node keeps its result', async (_, stop) => {
    const { slow, here, there, told, state } = slowNode();
    const run = await begin(here, { runId: 'r' });
    slow.hold('end', 'after');
    end(run);
    const outcome = here.wait('r');
    await flush();
    await stop(there);
    slow.release('end');
    expect(await outcome).toMatchObject({ status });
    await flush();
    expect(told).toEqual([`run:ended ${status}`]);
    expect(await storedRun(state)).toMatchObject({ status });
    expect(await there.wait('r')).toMatchObject({ status });
  });

  test('and is stopped on its own node while the end is on its way keeps its result: the end was sent first', async () => {
    const { slow, here } = slowNode();
    const run = await begin(here, { runId: 'r' });
    slow.hold('end');
    end(run);
    const receipt = here.abort({ runId: 'r' });
    await flush();
    slow.release('end');
    expect(await receipt).toMatchObject({ result: 'already-ended', runIds: ['r'] });
    expect(await here.wait('r')).toMatchObject({ status });
  });

  test('and meets a stop of all on its own node that finds others is not named: it was not stopped', async () => {
    const { slow, here } = slowNode();
    const [run, other] = [await begin(here, { runId: 'r' }), await begin(here, { sessionKey: 't', runId: 'other' })];
    slow.hold('end');
    end(run);
    const receipt = here.abort('all');
    await flush();
    slow.release('end');
    expect(await receipt).toMatchObject({ result: 'aborted', runIds: ['other'] });
    expect(await here.wait('r')).toMatchObject({ status });
    other.complete();
  });

  test('and whose end waits to be sent is stopped by an abort that overtakes it, and the receipt says so', async () => {
    const { slow, here } = slowNode();
    const run = await begin(here, { runId: 'r' });
    // The line of the session is busy, so that the end is not sent yet.
    slow.hold('lock');
    const grant = here.locks.acquire('s');
    end(run);
    const receipt = here.abort({ runId: 'r' });
    slow.release('lock');
    (await grant).release();
    expect(await receipt).toMatchObject({ result: 'aborted', runIds: ['r'], recorded: 'cluster' });
    expect(await here.wait('r')).toMatchObject({ status: 'aborted', reason: 'user' });
  });
});

test('work that returns into a stop of the other node answers aborted, and its value is dropped', async () => {
  const { slow, here, there, errors } = slowNode();
  const work = gate<string>();
  const outcome = here.run({ sessionKey: 's', runId: 'r' }, () => work.promise);
  await flush();
  slow.isDeaf = true;
  await there.abort({ runId: 'r' });
  work.open('value');
  const result = await outcome;
  expect(result).toMatchObject({ status: 'aborted', reason: 'user' });
  expect(result).not.toHaveProperty('value');
  expect(errors).toEqual([]);
});

test('what is attached to a run is stopped with the reason of a stop that its completion met', async () => {
  const { slow, here, there } = slowNode();
  const run = await begin(here, { runId: 'r' });
  const stopped: unknown[] = [];
  run.attach({ name: 'tool', stop: (reason) => stopped.push(reason) });
  slow.isDeaf = true;
  await there.abort({ runId: 'r' }, { reason: 'policy' });
  run.complete();
  expect(stopped).toEqual([]);
  await flush();
  expect(stopped).toEqual(['policy']);
});

test('children of a run that has completed are cut at once, whatever the record says of it', async () => {
  const { slow, here, state } = slowNode();
  const run = await begin(here, { runId: 'r' });
  const child = run.child({}, untilCut);
  await flush();
  slow.hold('end');
  run.complete();
  expect(here.runs.session('s').activeRunIds).toEqual([]);
  slow.release('end');
  expect(await child).toMatchObject({ status: 'aborted', reason: 'parent' });
  await flush();
  expect(await runsIn(state)).toEqual([]);
});

test('the receipt of a stop that a completion met waits for the other node, and brings its report', async () => {
  const { slow, here, there } = slowNode();
  const run = await begin(here, { runId: 'r' });
  const attached = run.attach({ name: 'tool', stop: () => new Promise(() => {}) });
  slow.hold('end');
  run.complete();
  await flush();
  const receipt = await there.abort({ runId: 'r' });
  expect(receipt).toMatchObject({ result: 'aborted', runIds: ['r'] });
  const quiet = watching(receipt.whenQuiet());
  slow.release('end');
  await flush();
  expect(quiet.state).toBe('pending');
  attached.release();
  await flush();
  expect(quiet.result).toMatchObject({ quiet: true, runs: [{ runId: 'r', state: 'quiet', leftovers: [] }] });
});
