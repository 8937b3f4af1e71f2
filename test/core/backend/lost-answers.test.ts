import { isRunfenceError, type RunControl } from 'runfence';
import type { ClaimAnswer, ClaimRequest, StoredRun } from 'runfence/backend';
import { type FakeClock, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { holderIn, runsIn, storedRun } from '../../support/records.js';
import { BOUND_MS, slow, unavailable } from '../../support/slow.js';
import { afterMicrotasks } from '../../support/sources.js';

/** A record of which something was not answered is read again after so long. */
const LOOK_MS = 1_000;

async function expectFreeLock(control: RunControl, clock: FakeClock): Promise<void> {
  const lock = control.locks.acquire('s', { timeoutMs: 100 });
  await flush();
  await clock.advance(100);
  (await lock).release();
}

describe('a claim that fails', () => {
  test('leaves the old run stopped, records that, and throws', async () => {
    const { control, slow: backend, state } = slow();
    const old = await begin(control, { sessionKey: 's' });
    backend.failNext('claim');
    await unavailable(control.start({ sessionKey: 's' }, () => 1));
    expect(old).toMatchObject({ status: 'stopping', reason: 'superseded' });
    await flush();
    expect(await runsIn(state)).toMatchObject([{ runId: old.id, status: 'stopping' }]);
    old.complete();
  });

  test('leaves nothing behind: the same id starts afterwards', async () => {
    const { control, slow: backend } = slow();
    backend.failNext('claim');
    const options = { sessionKey: 's', runId: 'r' };
    await unavailable(control.run(options, () => 1));
    expect(await control.run(options, () => 2)).toEqual({ status: 'completed', value: 2 });
  });

  test('that of a queued run ends it as failed, and the next has its turn', async () => {
    const { control, slow: backend } = slow();
    const old = await begin(control, { sessionKey: 's' });
    const next = await queued(control, { sessionKey: 's', whenBusy: 'enqueue' });
    const last = await queued(control, { sessionKey: 's', whenBusy: 'enqueue' });
    backend.failNext('claim');
    old.complete();
    expect(await next.started).toMatchObject({ status: 'failed', error: { code: 'BACKEND_UNAVAILABLE' } });
    expect(await last.started).toMatchObject({ status: 'started' });
    last.run.complete();
  });
});

describe('a claim that took effect and was never answered', () => {
  const options = { sessionKey: 's', runId: 'r' };

  test('is found in the record after a second, and ended: it stands in the way of no other node', async () => {
    const { control, slow: backend, state, clock } = slow();
    backend.failNext('claim', 'after');
    await unavailable(control.runs.begin(options));
    expect(await storedRun(state)).toMatchObject({ status: 'running' });
    await clock.advance(LOOK_MS);
    expect(await storedRun(state)).toBeUndefined();
  });

  test('is found by whatever of its session is answered first', async () => {
    const { control, slow: backend, state } = slow();
    backend.failNext('claim', 'after');
    await unavailable(control.runs.begin(options));
    await control.abort({ sessionKey: 's' });
    await flush();
    expect(await storedRun(state)).toBeUndefined();
  });

  test('is found after a gap in the notices', async () => {
    const { control, slow: backend, state } = slow();
    backend.failNext('claim', 'after');
    await unavailable(control.runs.begin(options));
    backend.tellGap();
    await flush();
    expect(await storedRun(state)).toBeUndefined();
  });

  test('and is looked for until its record can be read', async () => {
    const { control, slow: backend, state, clock, errors } = slow();
    backend.failNext('claim', 'after');
    for (let call = 0; call < 3; call++) backend.failNext('readSession');
    await unavailable(control.runs.begin(options));
    await clock.advance(3 * LOOK_MS);
    expect(await storedRun(state)).toMatchObject({ status: 'running' });
    await clock.advance(LOOK_MS);
    expect(await storedRun(state)).toBeUndefined();
    // Nobody reads an error a second of one outage.
    expect(errors).toEqual([]);
  });

  test('and is found is ended once the backend takes it', async () => {
    const { control, slow: backend, state, clock } = slow();
    backend.failNext('claim', 'after');
    backend.failNext('end');
    await unavailable(control.runs.begin(options));
    await clock.advance(2 * LOOK_MS);
    expect(await storedRun(state)).toBeUndefined();
  });

  test('or too late for its run is ended once the backend takes it', async () => {
    const { control, slow: backend, state, clock } = slow();
    backend.hold('claim', 'after');
    const begun = control.runs.begin(options);
    const stopped = control.abort({ runId: 'r' });
    backend.failNext('end');
    backend.release('claim');
    expect(await begun).toMatchObject({ status: 'aborted' });
    await stopped;
    await clock.advance(LOOK_MS);
    expect(await storedRun(state)).toBeUndefined();
  });

  test.each([
    { what: 'the same id again', next: options },
    { what: 'a takeover', next: { sessionKey: 's' } },
    { what: 'a run that would be refused', next: { sessionKey: 's', whenBusy: 'reject' } },
    { what: 'a run that waits for quiet', next: { sessionKey: 's', startWhen: 'quiet' } },
  ] as const)('does not stand in the way of $what', async ({ next }) => {
    const { control, slow: backend } = slow();
    backend.failNext('claim', 'after');
    await unavailable(control.runs.begin(options));
    const run = await begin(control, next);
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });
});

describe('a claim that timed out', () => {
  test.each(['before', 'after'] as const)('is given back when its answer arrives (held %s it acts)', async (when) => {
    const { control, slow: backend, state, clock } = slow();
    backend.hold('claim', when);
    const begun = unavailable(control.runs.begin({ sessionKey: 's' }));
    await clock.advance(BOUND_MS);
    await begun;
    backend.release('claim');
    await flush();
    expect(await runsIn(state)).toEqual([]);
  });

  test('does not keep the epilogue of the run it took over from, nor the lock', async () => {
    const { control, slow: backend, clock } = slow();
    const old = await begin(control, { sessionKey: 's' });
    const saved: number[] = [];
    old.epilogue(({ token }) => saved.push(token));
    backend.hold('claim', 'after');
    const begun = unavailable(control.runs.begin({ sessionKey: 's' }));
    await clock.advance(BOUND_MS);
    await begun;
    old.complete();
    await flush();
    expect(saved).toHaveLength(1);
    backend.release('claim');
    await expectFreeLock(control, clock);
  });
});

describe('a stop that the backend did not take', () => {
  test.each(['interrupt', 'reject'] as const)('does not hold up a later run that would %s', async (whenBusy) => {
    const { control, slow: backend } = slow();
    const old = await begin(control, { sessionKey: 's' });
    backend.failNext('stop');
    expect(await control.abort({ sessionKey: 's' })).toMatchObject({ recorded: 'unreachable' });
    const next = await begin(control, { sessionKey: 's', whenBusy });
    expect([old.isCurrent(), next.isCurrent()]).toEqual([false, true]);
    old.complete();
    next.complete();
  });

  test('and answered too late does not keep the lock for an epilogue that is skipped', async () => {
    const { control, slow: backend, clock } = slow();
    const old = await begin(control, { sessionKey: 's' });
    old.epilogue(() => {});
    backend.hold('stop', 'after');
    const receipt = control.abort({ sessionKey: 's' });
    await clock.advance(BOUND_MS);
    expect(await receipt).toMatchObject({ recorded: 'unreachable' });
    backend.release('stop');
    await flush();
    await expectFreeLock(control, clock);
    old.complete();
  });
});

test('a backend that says busy for what the claim replaces is asked again in a while, not without pause', async () => {
  const { control, slow: backend, clock } = slow();
  const claim = backend.claim.bind(backend);
  let asked = 0;
  let isStubborn = true;
  Object.assign(backend, {
    claim: async (request: ClaimRequest): Promise<ClaimAnswer> => {
      asked += 1;
      if (!isStubborn) return claim(request);
      const other = { ...request, runId: 'other', nodeId: 'elsewhere', generation: 1, status: 'running' };
      const record = { sessionKey: 's', version: 1, holder: undefined, reserved: [], stops: [] };
      const snapshot = { ...record, runs: [other as unknown as StoredRun] };
      return { kind: 'busy', snapshot, version: 1, now: 1, listNow: 1 };
    },
  });
  const next = await queued(control, { whenBusy: 'interrupt' });
  await flush();
  const before = asked;
  await clock.advance(100);
  expect([next.run.status, asked - before]).toEqual(['queued', 1]);
  isStubborn = false;
  await clock.advance(100);
  expect(await next.started).toMatchObject({ status: 'started' });
  next.run.complete();
});

describe('a lock whose grant is lost on the way', () => {
  test('is found in the record after a second, and given back, also when nobody else here asks for it', async () => {
    const { control, slow: backend, state, clock } = slow();
    backend.failNext('lock', 'after');
    await unavailable(control.locks.acquire('s'));
    expect(await holderIn(state)).toBeDefined();
    await clock.advance(LOOK_MS);
    expect(await holderIn(state)).toBeUndefined();
  });

  test('is given back once its record can be read, so that other nodes get it', async () => {
    const { control, slow: backend, state, clock } = slow();
    backend.failNext('lock', 'after');
    backend.failNext('readSession');
    backend.failNext('unlock');
    await unavailable(control.locks.acquire('s'));
    await clock.advance(3 * LOOK_MS);
    expect(await holderIn(state)).toBeUndefined();
  });

  test('is given back by the next who asks here, who gets it', async () => {
    const { control, slow: backend, clock } = slow();
    backend.failNext('lock', 'after');
    await unavailable(control.locks.acquire('s'));
    await expectFreeLock(control, clock);
  });

  test('is looked for once more, if its record was being read when it was lost', async () => {
    const { control, slow: backend, state, clock } = slow();
    const run = await begin(control, { sessionKey: 's' });
    backend.hold('readSession', 'after');
    backend.tellGap();
    await flush();
    backend.failNext('lock', 'after');
    await unavailable(control.locks.acquire('s'));
    backend.release('readSession');
    await clock.advance(LOOK_MS);
    expect(await holderIn(state)).toBeUndefined();
    run.complete();
  });

  test('leaves the lock to who got it in between', async () => {
    const { control, slow: backend, state, clock } = slow();
    backend.failNext('lock', 'after');
    await unavailable(control.locks.acquire('s'));
    const next = control.locks.acquire('s');
    await clock.advance(LOOK_MS);
    const grant = await next;
    expect([grant.isHeld(), await holderIn(state)]).toMatchObject([true, { token: grant.token }]);
    grant.release();
    await flush();
    expect(await holderIn(state)).toBeUndefined();
  });
});

test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
  'a grant in the tick of the bound and a stop %i microtasks later leave no run behind',
  async (ticks) => {
    const { control, slow: backend, state, clock } = slow();
    const other = await begin(control, { sessionKey: 't', timeoutMs: BOUND_MS });
    backend.hold('claim', 'after');
    const begun = control.runs.begin({ sessionKey: 's', runId: 'r' }).catch((error: unknown) => error);
    control.on('run:aborted', () => {
      backend.release('claim');
      afterMicrotasks(ticks, () => void control.abort({ sessionKey: 's' }));
    });
    await clock.advance(BOUND_MS);
    expect(await begun).toSatisfy((answer: unknown) => isRunfenceError(answer) || isAborted(answer));
    other.complete();
    await flush();
    expect(control.runs.unquiet()).toEqual([]);
    await clock.advance(LOOK_MS);
    // What this node forgets, nobody would take out of the backend.
    if (control.runs.get('r') === undefined) expect(await storedRun(state)).toBeUndefined();
    expect(await runsIn(state)).toEqual([]);
  },
);

function isAborted(answer: unknown): boolean {
  return (answer as { readonly status?: unknown }).status === 'aborted';
}
