import type { RunControl, RunOptions } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

const first = { sessionKey: 's', runId: 'r' } satisfies RunOptions;

function never(): never {
  throw new Error('The work of a duplicate was called.');
}

/** The same id again, while the first run is in a state of its life. */
async function again(control: RunControl, options: RunOptions = first) {
  const answer = await control.run(options, never);
  if (answer.status !== 'duplicate') throw new Error(`It is ${answer.status}.`);
  return answer;
}

describe('the same id again', () => {
  test('while the first runs: its view, and its outcome with the value', async () => {
    const { control } = tracked();
    const work = gate<number>();
    const outcome = control.run(first, () => work.promise);
    const duplicate = await again(control);
    expect(duplicate.run).toEqual(control.runs.get('r'));
    expect(duplicate.run.status).toBe('running');
    work.open(42);
    expect(await duplicate.outcome).toEqual({ status: 'completed', value: 42 });
    expect(await outcome).toEqual({ status: 'completed', value: 42 });
  });

  test('while the first is queued', async () => {
    const { control } = tracked();
    const busy = control.run({ sessionKey: 's' }, untilCut);
    await control.start({ ...first, whenBusy: 'enqueue' }, () => 42);
    const duplicate = await again(control);
    expect(duplicate.run).toMatchObject({ status: 'queued', generation: 0 });
    expect(control.runs.session('s').activeRunIds).toHaveLength(1);
    await control.abort({ sessionKey: 's' }, { queued: 'keep' });
    expect(await duplicate.outcome).toEqual({ status: 'completed', value: 42 });
    await busy;
  });

  test('while the first is stopping: its outcome is known (F3)', async () => {
    const { control } = tracked();
    const stuck = gate();
    const outcome = control.run(first, () => stuck.promise);
    await control.abort(first);
    const duplicate = await again(control);
    expect(duplicate.run.status).toBe('stopping');
    expect(await duplicate.outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    stuck.open();
    await outcome;
  });

  test('after the first completed: no value any more', async () => {
    const { control } = tracked();
    await control.run(first, () => 42);
    const duplicate = await again(control);
    expect(duplicate.run.status).toBe('completed');
    expect(await duplicate.outcome).toEqual({ status: 'completed' });
  });

  test('after the first failed: its error (H5)', async () => {
    const { control } = tracked();
    const error = new Error('model is down');
    await expect(control.run(first, () => Promise.reject(error))).rejects.toBe(error);
    expect(await (await again(control)).outcome).toEqual({ status: 'failed', error });
  });

  test('after the first was aborted: its reason, and its quiet', async () => {
    const { control } = tracked();
    const outcome = control.run(first, untilCut);
    await control.abort(first);
    await outcome;
    const repeated = await (await again(control)).outcome;
    expect(repeated).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(await (repeated.status === 'aborted' && repeated.whenQuiet())).toMatchObject({ quiet: true });
  });

  test('after the retention has passed: a new run with a higher generation', async () => {
    const { control, clock } = tracked();
    await control.run(first, () => 1);
    const generation = control.runs.get('r')?.generation as number;
    await clock.advance(300_000);
    expect(await control.run(first, (run) => run.generation > generation)).toEqual({
      status: 'completed',
      value: true,
    });
  });

  for (const whenBusy of ['interrupt', 'enqueue', 'reject', 'concurrent'] as const) {
    test(`with ${whenBusy} stops nothing, and takes no place`, async () => {
      const { control } = tracked();
      await control.run(first, () => 1);
      const newer = control.run({ sessionKey: 's', runId: 'newer' }, untilCut);
      await again(control, { ...first, whenBusy });
      expect(control.runs.session('s')).toMatchObject({ activeRunIds: ['newer'], queuedRunIds: [] });
      await control.abort('all');
      await newer;
    });
  }

  test('from start, stream and begin answers the same', async () => {
    const { control } = tracked();
    await control.run(first, () => 1);
    const answers = [
      await control.start(first, never),
      await control.stream(first, never),
      await control.runs.begin(first),
      control.runs.beginSync(first),
    ];
    expect(answers.map(({ status }) => status)).toEqual(['duplicate', 'duplicate', 'duplicate', 'duplicate']);
  });
});

describe('is a conflict', () => {
  const given: RunOptions = { ...first, kind: 'chat', fingerprint: 'abc', owner: { userId: 'ada' } };
  const others: Readonly<Record<string, RunOptions>> = {
    'in another session': { ...given, sessionKey: 't' },
    'of another kind': { ...given, kind: 'cron' },
    'with another fingerprint': { ...given, fingerprint: 'abd' },
    'of another owner': { ...given, owner: { userId: 'eve' } },
  };
  for (const [name, other] of Object.entries(others)) {
    test(`${name}, while the first runs and after it ended (E9)`, async () => {
      const { control } = tracked();
      const outcome = control.run(given, untilCut);
      await expect(control.run(other, never)).rejects.toMatchObject({ code: 'RUN_ID_CONFLICT' });
      expect(control.runs.get('r')?.status).toBe('running');
      await control.abort('all');
      await outcome;
      await expect(control.start(other, never)).rejects.toMatchObject({ code: 'RUN_ID_CONFLICT' });
    });
  }

  for (const [name, one, two] of [
    ['the first has', 'abc', undefined],
    ['the second has', undefined, 'abc'],
  ] as const) {
    test(`not when only ${name} a fingerprint`, async () => {
      const { control } = tracked();
      await control.run(one === undefined ? first : { ...first, fingerprint: one }, () => 1);
      await again(control, two === undefined ? first : { ...first, fingerprint: two });
    });
  }

  test('not for the host itself, and not for another owner who may read it', async () => {
    const { control } = tracked({ authorize: () => true });
    await control.run({ ...first, owner: { userId: 'ada' } }, () => 1);
    await again(control);
    await again(control, { ...first, owner: { userId: 'eve' } });
  });
});

describe('a rejected admission keeps nothing', () => {
  test('busy', async () => {
    const { control } = tracked();
    const busy = control.run({ sessionKey: 's' }, untilCut);
    expect(await control.run({ ...first, whenBusy: 'reject' }, never)).toMatchObject({ cause: 'busy' });
    expect(control.runs.get('r')).toBeUndefined();
    await control.abort('all');
    await busy;
    expect(await control.run(first, () => 1)).toMatchObject({ status: 'completed' });
  });

  test('an aborted signal', async () => {
    const { control } = tracked();
    expect(await control.run({ ...first, signal: AbortSignal.abort() }, never)).toMatchObject({ reason: 'upstream' });
    expect(await control.run(first, () => 1)).toMatchObject({ status: 'completed' });
  });

  test('a conflict and a duplicate on another node', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    await there.control.run(first, () => 1);
    await again(here.control);
    await expect(here.control.run({ ...first, sessionKey: 't' }, never)).rejects.toMatchObject({
      code: 'RUN_ID_CONFLICT',
    });
    expect(here.control.runs.get('r')).toBeUndefined();
    expect(here.control.runs.sizes.entries).toBe(0);
  });

  test('a claim that the backend did not answer', async () => {
    const slow = new FaultyBackend();
    const { control } = tracked({ backend: slow });
    slow.failNext('claim');
    await expect(control.run(first, never)).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect(control.runs.get('r')).toBeUndefined();
    expect(await control.run(first, () => 1)).toMatchObject({ status: 'completed' });
  });
});

describe('across nodes', () => {
  for (const [how, make] of [
    ['at once', () => memory()],
    ['with promises', () => new FaultyBackend()],
  ] as const) {
    test(`the outcome arrives when the first run ends: a backend that answers ${how}`, async () => {
      const backend = make();
      const here = tracked({ backend });
      const there = tracked({ backend }, here.clock);
      const work = gate();
      const outcome = there.control.run(first, () => work.promise);
      await flush();
      const duplicate = await again(here.control);
      const { nodeId } = there.control.runs.get('r') ?? {};
      expect(duplicate.run).toMatchObject({ runId: 'r', status: 'running', nodeId, startedAt: 0 });
      work.open();
      expect(await duplicate.outcome).toEqual({ status: 'completed' });
      await outcome;
    });
  }

  test('a run that failed there is RUN_FAILED here', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    await there.control.run(first, () => Promise.reject(new Error('secret'))).catch(() => {});
    const outcome = await (await again(here.control)).outcome;
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'RUN_FAILED' } });
  });

  test('a run that was cut there has its outcome here at the cut, not when it is quiet', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const stuck = gate();
    const outcome = there.control.run(first, () => stuck.promise);
    const duplicate = await again(here.control);
    await there.control.abort({ runId: 'r' });
    expect(await duplicate.outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    stuck.open();
    await outcome;
  });

  test('the outcome arrives although the run ended while the claim was being answered', async () => {
    const shared = memory();
    const slow = new FaultyBackend({ over: shared });
    const here = tracked({ backend: slow });
    const there = tracked({ backend: shared }, here.clock);
    const work = gate();
    const outcome = there.control.run(first, () => work.promise);
    slow.hold('claim', 'after');
    const repeated = again(here.control);
    work.open();
    await outcome;
    slow.release('claim');
    const duplicate = await repeated;
    await flush();
    expect(await duplicate.outcome).toEqual({ status: 'completed' });
  });

  test('a stranger gets the conflict, whichever node has the run', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const outcome = there.control.run({ ...first, owner: { userId: 'ada' } }, untilCut);
    const conflicts = await Promise.all(
      [here, there].map(({ control }) =>
        control.run({ ...first, owner: { userId: 'eve' } }, never).catch((error: Error) => error.message),
      ),
    );
    expect(new Set(conflicts)).toHaveLength(1);
    await there.control.abort('all');
    await outcome;
  });
});

test('the same id while the first is still being admitted: if that is refused, the duplicate is aborted by policy', async () => {
  const shared = memory();
  const there = tracked({ backend: shared });
  const here = tracked({ backend: new FaultyBackend({ over: shared }) }, there.clock);
  const busy = await begin(there.control);
  const refused = here.control.runs.begin({ sessionKey: 's', runId: 'r', whenBusy: 'reject' });
  const again = await here.control.runs.begin({ sessionKey: 's', runId: 'r', whenBusy: 'reject' });
  expect(await refused).toMatchObject({ status: 'rejected', cause: 'busy' });
  if (again.status !== 'duplicate') throw new Error(again.status);
  expect(await again.outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
  expect(here.control.runs.get('r')).toBeUndefined();
  busy.complete();
});
