import type { Grant } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { recordOf, storedRun } from '../../support/records.js';
import { Feed, watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

const LEASE_MS = 1_000;
/** So often a suspect node looks whether it was renewed. */
const LOOK_MS = 25;

/** A node whose lease the test ends and renews, and another one on the same records. */
function leased() {
  const state = Object.assign(memory(), { aliveUntil: () => performance.now() + LEASE_MS });
  const backend = new FaultyBackend({ over: state });
  const { control, clock, errors } = tracked({ backend, defaults: { epilogueMs: 500 } });
  const other = tracked({ backend: new FaultyBackend({ over: state }) }, clock).control;
  return {
    state,
    backend,
    control,
    clock,
    errors,
    other,
    /** Its deadline passes: whatever it begins from now on waits. */
    suspend: async (): Promise<void> => {
      backend.suspend();
      await clock.advance(LEASE_MS);
    },
    resume: async (): Promise<void> => {
      backend.resume();
      await clock.advance(LOOK_MS);
    },
  };
}

test('a run that nobody touched goes on', async () => {
  const { control, suspend, resume } = leased();
  const told: string[] = [];
  for (const event of ['run:aborted', 'run:ended', 'effect:fenced'] as const) control.on(event, () => told.push(event));
  const outcome = control.run({ sessionKey: 's', runId: 'r' }, async (run) => {
    await suspend();
    expect([run.isCurrent(), run.signal.aborted]).toEqual([false, false]);
    await resume();
    expect(run.isCurrent()).toBe(true);
    return 'answer';
  });
  expect(await outcome).toEqual({ status: 'completed', value: 'answer' });
  expect(told).toEqual(['run:ended']);
});

test('a node that is renewed before its deadline is never suspect', async () => {
  const { control, clock } = leased();
  const run = await begin(control);
  for (let i = 0; i < 5; i++) {
    await clock.advance(LEASE_MS);
    expect(run.isCurrent()).toBe(true);
  }
  run.complete();
  await flush();
});

describe('while it is suspect', () => {
  test('a gated function is called when it is open again', async () => {
    const { control, suspend, resume } = leased();
    const run = await begin(control);
    const calls: string[] = [];
    const tool = run.gate((name: string) => calls.push(name));
    await suspend();
    const call = watching(tool('waited'));
    await flush();
    expect([calls, call.state]).toEqual([[], 'pending']);
    await resume();
    expect([calls, call]).toEqual([['waited'], { state: 'fulfilled', result: 1 }]);
    run.complete();
    await flush();
  });

  test('a gated function is not called whose check was answered too late to say anything', async () => {
    const { backend, control, suspend, resume } = leased();
    const run = await begin(control);
    const calls: string[] = [];
    const tool = run.gate((name: string) => calls.push(name));
    backend.hold('check', 'after');
    const call = watching(tool('waited'));
    await flush();
    await suspend();
    backend.release('check');
    await flush();
    expect([calls, call.state]).toEqual([[], 'pending']);
    await resume();
    expect(calls).toEqual(['waited']);
    expect(backend.calls.filter((method) => method === 'check')).toHaveLength(2);
    run.complete();
    await flush();
  });

  test('the deadline closes it before the timer says so', async () => {
    const { backend, control, clock, resume } = leased();
    const run = await begin(control);
    const calls: string[] = [];
    backend.suspend();
    // The loop was held up: no timer has fired.
    const call = watching(run.gate(() => calls.push('called'))());
    await flush();
    expect([calls, call.state, run.isCurrent()]).toEqual([[], 'pending', false]);
    await clock.advance(LOOK_MS);
    expect(calls).toEqual([]);
    await resume();
    expect(calls).toEqual(['called']);
    run.complete();
    await flush();
  });

  test('a node that has a lease without an end looks all the same, once it is suspect', async () => {
    const backend = new FaultyBackend({ hasLease: true });
    const { control, clock } = tracked({ backend });
    const run = await begin(control);
    backend.suspend();
    const call = watching(run.gate(() => 'called')());
    await flush();
    expect(call.state).toBe('pending');
    backend.resume();
    await clock.advance(LOOK_MS);
    expect(call).toEqual({ state: 'fulfilled', result: 'called' });
    run.complete();
    await flush();
  });

  test('a commit waits, and its section begins under a grant of its own', async () => {
    const { control, suspend, resume } = leased();
    const run = await begin(control);
    await suspend();
    const sections: number[] = [];
    const written = run.commit(({ token }) => sections.push(token));
    await flush();
    expect(sections).toEqual([]);
    await resume();
    await written;
    expect(sections).toHaveLength(1);
    run.complete();
    await flush();
  });

  test.each(['a run', 'nobody'])('a commit under a grant that %s holds waits for a check', async (who) => {
    const { control, suspend, resume } = leased();
    const run = await begin(control);
    const grant = await control.locks.acquire('s', who === 'a run' ? { holder: run } : {});
    await suspend();
    const sections: number[] = [];
    const written = watching(grant.commit(({ token }) => sections.push(token)));
    await flush();
    expect([sections, written.state]).toEqual([[], 'pending']);
    await resume();
    expect([sections, written.state]).toEqual([[grant.token], 'fulfilled']);
    grant.release();
    run.complete();
    await flush();
  });

  test.each(['a run', 'nobody'])('a lock that %s asks for is asked for when it is open again', async (who) => {
    const { backend, control, suspend, resume } = leased();
    const run = await begin(control);
    await suspend();
    const asked = watching(control.locks.acquire('s', who === 'a run' ? { holder: run } : {}));
    await flush();
    expect([asked.state, backend.calls.includes('lock')]).toEqual(['pending', false]);
    await resume();
    expect(asked.state).toBe('fulfilled');
    (asked.result as Grant).release();
    run.complete();
    await flush();
  });

  test('a grant that comes too late opens nothing: the section begins when it is open again', async () => {
    const { backend, control, suspend, resume } = leased();
    const run = await begin(control);
    backend.hold('lock', 'after');
    const sections: number[] = [];
    const written = watching(run.commit(({ token }) => sections.push(token)));
    await flush();
    await suspend();
    backend.release('lock');
    await flush();
    expect([sections, written.state]).toEqual([[], 'pending']);
    await resume();
    expect([sections.length, written.state]).toEqual([1, 'fulfilled']);
    run.complete();
    await flush();
  });

  test('a grant that comes too late and is taken away meanwhile is a lock lost', async () => {
    const { backend, control, state, suspend, resume } = leased();
    const run = await begin(control);
    backend.hold('lock', 'after');
    const sections: number[] = [];
    const written = watching(run.commit(({ token }) => sections.push(token)));
    await flush();
    await suspend();
    const { holder } = await recordOf(state);
    backend.release('lock');
    await flush();
    state.unlock({ sessionKey: 's', nodeId: 'other', token: holder?.token ?? 0, seen: 0 });
    await flush();
    expect(written).toMatchObject({ state: 'rejected', result: { code: 'RUN_ABORTED', reason: 'lock-lost' } });
    await resume();
    expect(sections).toEqual([]);
    run.complete();
    await flush();
  });

  test('a grant of no run that comes too late and is taken away meanwhile is asked for again', async () => {
    const { backend, control, state, suspend, resume } = leased();
    const run = await begin(control);
    backend.hold('lock', 'after');
    const asked = watching(control.locks.acquire('s'));
    await flush();
    await suspend();
    const { holder } = await recordOf(state);
    backend.release('lock');
    await flush();
    state.unlock({ sessionKey: 's', nodeId: 'other', token: holder?.token ?? 0, seen: 0 });
    await flush();
    expect(asked.state).toBe('pending');
    await resume();
    const grant = asked.result as Grant;
    expect([asked.state, grant.isHeld(), grant.token > (holder?.token ?? 0)]).toEqual(['fulfilled', true, true]);
    grant.release();
    run.complete();
    await flush();
  });

  test('a run is begun when it is open again', async () => {
    const { backend, control, suspend, resume } = leased();
    const before = await begin(control);
    await suspend();
    const calls: string[] = [];
    const outcome = control.run({ sessionKey: 't' }, () => calls.push('called'));
    await flush();
    expect([calls, backend.calls.filter((method) => method === 'claim').length]).toEqual([[], 1]);
    await resume();
    expect(await outcome).toMatchObject({ status: 'completed' });
    before.complete();
    await flush();
  });

  test('a run whose generation comes too late is not current, and its work is called when it is open again', async () => {
    const { backend, control, suspend, resume } = leased();
    const before = await begin(control);
    backend.hold('claim', 'after');
    const calls: boolean[] = [];
    const outcome = control.run({ sessionKey: 't', runId: 'r' }, (run) => calls.push(run.isCurrent()));
    const streamed = control.stream({ sessionKey: 'u' }, (run) => {
      calls.push(run.isCurrent());
      return new Blob(['chunk']).stream();
    });
    await flush();
    await suspend();
    backend.release('claim');
    await flush();
    expect(calls).toEqual([]);
    await resume();
    expect(calls).toEqual([true, true]);
    expect(await outcome).toMatchObject({ status: 'completed' });
    const result = await streamed;
    if (!('stream' in result)) throw new Error(result.status);
    expect(await new Response(result.stream).text()).toBe('chunk');
    before.complete();
    await flush();
  });

  test('a fenced iterable delivers what it has when it is open again', async () => {
    const { control, suspend, resume } = leased();
    const run = await begin(control);
    const feed = new Feed<string>();
    const fenced = run.fence(feed);
    const item = watching(fenced.next().then(({ value }) => value));
    await suspend();
    feed.give('text');
    await flush();
    expect(item.state).toBe('pending');
    await resume();
    expect(item).toEqual({ state: 'fulfilled', result: 'text' });
    expect(run.isCurrent()).toBe(true);
    run.complete();
    await flush();
  });

  test('a fenced stream delivers what it has when it is open again', async () => {
    const { control, suspend, resume } = leased();
    const run = await begin(control);
    const source = gate<string>();
    const fenced = run.fence(
      new ReadableStream<string>({
        pull: async (controller) => controller.enqueue(await source.promise),
      }),
    );
    const reader = fenced.getReader();
    const item = watching(reader.read().then(({ value }) => value));
    await suspend();
    source.open('text');
    await flush();
    expect(item.state).toBe('pending');
    await resume();
    expect(item).toEqual({ state: 'fulfilled', result: 'text' });
    await reader.cancel();
    run.complete();
    await flush();
  });

  test('a call of a fenced function is dropped and counted, and that run does not survive it', async () => {
    const { control, suspend, resume } = leased();
    const [holed, whole] = [await begin(control), await begin(control, { sessionKey: 't' })];
    const sent: string[] = [];
    const send = holed.fence((text: string) => sent.push(text));
    const fenced: string[] = [];
    control.on('effect:fenced', ({ run }) => fenced.push(run.runId));
    send('before');
    await suspend();
    send('dropped');
    expect([sent, holed.status]).toEqual([['before'], 'running']);
    const ended = control.wait(holed.id);
    await resume();
    expect(holed).toMatchObject({ status: 'stopping', reason: 'heartbeat-lost' });
    send('after');
    holed.complete();
    const outcome = await ended;
    expect(outcome).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost' });
    if (outcome.status !== 'aborted') throw new Error(outcome.status);
    expect((await outcome.whenQuiet()).runs).toMatchObject([{ fencedEffects: 2 }]);
    expect([sent, fenced, whole.isCurrent()]).toEqual([['before'], [holed.id], true]);
    whole.complete();
    await flush();
  });

  test.each(['handle', 'work'])('a run with a dropped call does not complete before that is known: %s', async (how) => {
    const { control, suspend, resume } = leased();
    const sent: string[] = [];
    const returned: boolean[] = [];
    const begun = how === 'handle' ? await begin(control, { runId: 'r' }) : undefined;
    const isSuspect = gate();
    const worked =
      begun === undefined
        ? control.run({ sessionKey: 's', runId: 'r' }, async (run) => {
            const send = run.fence((text: string) => sent.push(text));
            await isSuspect.promise;
            send('dropped');
            return 'an answer with a hole';
          })
        : undefined;
    await flush();
    const outcome = control.wait('r');
    await suspend();
    isSuspect.open();
    if (begun !== undefined) {
      begun.fence((text: string) => sent.push(text))('dropped');
      returned.push(begun.complete('an answer with a hole'));
    }
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost' });
    expect([sent, returned]).toEqual([[], how === 'handle' ? [false] : []]);
    await worked;
    await resume();
  });

  test('a lock that is waited for asks nobody once the control is closed', async () => {
    const { backend, control, suspend } = leased();
    (await begin(control)).complete();
    const run = await begin(control);
    await suspend();
    const asked = expect(control.locks.acquire('s')).rejects.toMatchObject({ code: 'CLOSED' });
    const drained = control.drain({ graceMs: 0 });
    run.complete();
    await drained;
    await asked;
    await flush();
    expect(backend.calls).not.toContain('lock');
  });

  test('an end is recorded all the same', async () => {
    const { control, suspend, resume, state } = leased();
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, async () => {
      await suspend();
      return 1;
    });
    expect(await outcome).toEqual({ status: 'completed', value: 1 });
    expect(await storedRun(state)).toMatchObject({ status: 'completed' });
    await resume();
  });

  test('a stop of its own cuts at once, and who waits for a gate is told', async () => {
    const { control, suspend, resume } = leased();
    const run = await begin(control);
    const calls: string[] = [];
    await suspend();
    const call = watching(run.gate(() => calls.push('called'))());
    const receipt = await control.abort({ runId: run.id });
    expect(receipt.result).toBe('aborted');
    expect(call).toMatchObject({ state: 'rejected', result: { code: 'RUN_ABORTED', reason: 'user', started: false } });
    await resume();
    expect(calls).toEqual([]);
    run.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ fencedEffects: 1 }]);
  });

  test('an epilogue is saved when it is open again', async () => {
    const { control, suspend, resume } = leased();
    const run = await begin(control);
    const saved: number[] = [];
    run.epilogue(({ token }) => saved.push(token));
    await flush();
    await suspend();
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    await flush();
    expect(saved).toEqual([]);
    await resume();
    expect(saved).toHaveLength(1);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }]);
  });

  test.each([
    ['is still its own', true],
    ['was taken away', false],
  ])('an epilogue whose grant comes too late is saved only if it %s', async (_, isOwn) => {
    const { backend, control, errors, other, state, suspend, resume } = leased();
    const run = await begin(control);
    const saved: number[] = [];
    run.epilogue(({ token }) => saved.push(token));
    await flush();
    backend.hold('lock', 'after');
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    await flush();
    await suspend();
    backend.release('lock');
    await flush();
    const { holder } = await recordOf(state);
    expect([saved, holder?.isEpilogue]).toEqual([[], true]);
    if (!isOwn) {
      state.unlock({ sessionKey: 's', nodeId: 'other', token: holder?.token ?? 0, seen: 0 });
      const beside = await begin(other, { whenBusy: 'concurrent' });
      beside.complete();
      await flush();
    }
    await resume();
    expect(saved).toEqual(isOwn ? [holder?.token] : []);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: isOwn ? 'done' : 'skipped' }]);
    expect(errors).toMatchObject(isOwn ? [] : [{ code: 'NOT_SAVED' }]);
  });

  test('a stop that is recorded in the meantime is the outcome that is found', async () => {
    const { backend, control, other, suspend, resume } = leased();
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    await flush();
    backend.holdNotices();
    await suspend();
    await other.abort({ runId: 'r' }, { reason: 'policy' });
    expect(control.runs.get('r')?.status).toBe('running');
    backend.releaseNotices();
    await resume();
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
  });
});

describe('a node that is renewed reads before it opens', () => {
  test('what another node has stopped does not go on, although no notice has said so', async () => {
    const { backend, control, other, suspend, resume } = leased();
    const run = await begin(control, { runId: 'r' });
    const feed = new Feed<string>();
    const item = watching(run.fence(feed).next());
    const calls: string[] = [];
    const current: boolean[] = [];
    backend.isDeaf = true;
    await suspend();
    const call = watching(run.gate(() => calls.push('called'))());
    feed.give('text');
    await other.abort({ runId: 'r' }, { reason: 'policy' });
    control.on('run:aborted', ({ run: { runId } }) => current.push(control.runs.get(runId)?.status === 'running'));
    await resume();
    const refused = { state: 'rejected', result: { code: 'RUN_ABORTED', reason: 'policy' } };
    expect([call, item]).toMatchObject([refused, refused]);
    expect([calls, current, run.reason]).toEqual([[], [false], 'policy']);
    run.complete();
    await flush();
  });

  test('nor what another node has stopped for all', async () => {
    const { backend, control, other, suspend, resume } = leased();
    const outcome = control.run({ sessionKey: 's', tags: ['batch'] }, untilCut);
    await flush();
    backend.isDeaf = true;
    await suspend();
    await other.abort({ tag: 'batch' }, { reason: 'policy' });
    await resume();
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
  });

  test.each(['readSession', 'readStops'] as const)('and stays closed until %s is answered', async (method) => {
    const { backend, control, clock, suspend, resume } = leased();
    const run = await begin(control);
    await suspend();
    backend.hold(method);
    await resume();
    expect(run.isCurrent()).toBe(false);
    await clock.advance(1_000);
    expect(run.isCurrent()).toBe(false);
    backend.release(method);
    await flush();
    expect(run.isCurrent()).toBe(true);
    run.complete();
    await flush();
  });

  test('and tries again after a while if they cannot be read', async () => {
    const { backend, control, clock, errors, suspend, resume } = leased();
    const run = await begin(control);
    await suspend();
    backend.isDown = true;
    await resume();
    await clock.advance(900);
    const { length } = errors;
    expect([run.isCurrent(), length]).toEqual([false, 2]);
    backend.isDown = false;
    await clock.advance(200);
    expect([run.isCurrent(), errors]).toEqual([true, expect.objectContaining({ length })]);
    run.complete();
    await flush();
  });

  test('and stays closed if its lease has ended again by then', async () => {
    const { backend, control, suspend, resume } = leased();
    const run = await begin(control);
    await suspend();
    backend.hold('readSession');
    await resume();
    backend.suspend();
    backend.release('readSession');
    await flush();
    expect(run.isCurrent()).toBe(false);
    await resume();
    expect(run.isCurrent()).toBe(true);
    run.complete();
    await flush();
  });
});

describe('a lease that is lost', () => {
  test('a stop that was recorded is the outcome, and the rest is cut as heartbeat-lost', async () => {
    const { backend, control, other, suspend } = leased();
    const stopped = control.run({ sessionKey: 's', runId: 'stopped' }, untilCut);
    const left = control.run({ sessionKey: 't', runId: 'left' }, untilCut);
    await flush();
    backend.isDeaf = true;
    await suspend();
    await other.abort({ runId: 'stopped' }, { reason: 'policy' });
    expect(control.runs.get('stopped')?.status).toBe('running');
    backend.tellLost();
    expect(await stopped).toMatchObject({ status: 'aborted', reason: 'policy' });
    expect(await left).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost' });
  });

  test('and a record that cannot be read: all are cut as heartbeat-lost', async () => {
    const { backend, control, errors, suspend, resume, clock } = leased();
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    await flush();
    await suspend();
    backend.isDown = true;
    backend.tellLost();
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost' });
    expect(errors).toContainEqual(expect.objectContaining({ code: 'BACKEND_UNAVAILABLE' }));
    backend.isDown = false;
    await resume();
    await clock.advance(2_000);
  });

  test('refuses who waited for it to be open again', async () => {
    const { backend, control, suspend } = leased();
    const run = await begin(control);
    const calls: string[] = [];
    await suspend();
    const call = watching(run.gate(() => calls.push('gate'))());
    const written = watching(run.commit(() => calls.push('commit')));
    const asked = watching(control.locks.acquire('s', { holder: run }));
    await flush();
    backend.tellLost();
    await flush();
    const refused = { state: 'rejected', result: { code: 'RUN_ABORTED', reason: 'heartbeat-lost' } };
    expect([call, written, asked]).toMatchObject([refused, refused, refused]);
    expect(calls).toEqual([]);
    run.complete();
    await flush();
  });

  test('a drain of a suspect node asks nobody for ever', async () => {
    const { backend, control, clock, suspend } = leased();
    const grant = await control.locks.acquire('s');
    await begin(control).then((run) => run.complete());
    const run = await begin(control);
    await suspend();
    const written = watching(grant.commit(() => 'written'));
    void control.abort('all');
    run.complete();
    const drained = control.drain({ graceMs: 0 });
    await clock.advance(2_000);
    await drained;
    await flush();
    expect([written.state, backend.calls.filter((method) => method === 'check').length]).toEqual(['fulfilled', 1]);
    grant.release();
    await flush();
  });

  test('and a result that was not recorded: what the record says is the outcome', async () => {
    const { backend, control, suspend } = leased();
    const run = await begin(control, { runId: 'r' });
    await suspend();
    backend.hold('end');
    run.complete('late');
    const outcome = watching(control.wait('r'));
    backend.tellLost();
    await flush();
    expect(outcome.state).toBe('pending');
    backend.release('end');
    await flush();
    expect(outcome.result).toMatchObject({ status: 'completed' });
    backend.resume();
    await flush();
  });

  test('and a result that was not recorded, with a record that cannot be read: it is lost, and not confirmed', async () => {
    const { backend, control, clock, suspend, resume } = leased();
    const run = await begin(control, { runId: 'r' });
    await suspend();
    backend.isDown = true;
    run.complete('late');
    const outcome = watching(control.wait('r'));
    backend.tellLost();
    await flush();
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost', confirmed: false });
    backend.isDown = false;
    await resume();
    await clock.advance(2_000);
  });

  test('says the same as the record when another node takes over between its look and its word (I25)', async () => {
    const { backend, control, other, suspend } = leased();
    const outcome = watching(control.run({ sessionKey: 's', runId: 'r' }, untilCut));
    await flush();
    await suspend();
    backend.isDeaf = true;
    backend.hold('stop');
    backend.tellLost();
    await flush();
    expect(control.runs.get('r')).toMatchObject({ status: 'stopping', reason: 'heartbeat-lost' });
    const next = await begin(other);
    backend.release('stop');
    await flush();
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'superseded', confirmed: true });
    expect(await other.wait('r')).toMatchObject({ status: 'aborted', reason: 'superseded', confirmed: true });
    next.complete();
    backend.resume();
    await flush();
  });

  test('says that it could not ask, if the record tells other nodes another reason (I26)', async () => {
    const { backend, control, other, clock, suspend, resume } = leased();
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    await flush();
    await suspend();
    backend.isDown = true;
    backend.isDeaf = true;
    const next = await begin(other);
    backend.tellLost();
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost', confirmed: false });
    expect(await other.wait('r')).toMatchObject({ status: 'aborted', reason: 'superseded', confirmed: true });
    next.complete();
    backend.isDown = false;
    await resume();
    await clock.advance(2_000);
    // What was told stays.
    expect(await control.wait('r')).toMatchObject({ reason: 'heartbeat-lost', confirmed: false });
  });
});
