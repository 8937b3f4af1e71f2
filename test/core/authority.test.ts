import { isDeepStrictEqual } from 'node:util';
import {
  ADMIN,
  type Authorize,
  HOST,
  type Principal,
  type ReadOptions,
  type Requester,
  type RunControl,
} from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../support/tracked.js';
import { untilCut } from '../support/work.js';

const ada = { userId: 'ada', deviceId: 'phone', connId: '1' };
const eve = { userId: 'eve' };

/** What an error says to whoever catches it. */
function said(error: unknown): unknown {
  const { code, message } = error as { code: string; message: string };
  return { code, message, fields: Object.keys(error as object) };
}

describe('a stranger', () => {
  /** Each way to look at a run: the answer for a foreign one must be the one for none. */
  const reads: Readonly<Record<string, (control: RunControl, id: string, key: string) => unknown>> = {
    wait: (control, id) => control.wait(id, { requester: eve }),
    'wait with timeout': (control, id) => control.wait(id, { requester: eve, timeoutMs: 0 }),
    'wait with kind': (control, id) => control.wait(id, { requester: eve, kind: 'chat' }),
    get: (control, id) => control.runs.get(id, { requester: eve }),
    list: (control) => control.runs.list({ requester: eve }),
    session: (control, _id, key) => ({ ...control.runs.session(key, { requester: eve }), sessionKey: '' }),
    isActive: (control, _id, key) => control.runs.isActive(key, { requester: eve }),
    'isActive with kind': (control, _id, key) => control.runs.isActive(key, { requester: eve, kind: 'chat' }),
  };
  for (const [name, read] of Object.entries(reads)) {
    test(`${name}: a running, a queued, a stopping and an ended run look absent`, async () => {
      const { control } = tracked();
      const empty = tracked().control;
      const absent = await read(empty, 'none', 'nowhere');
      const look = async (): Promise<void> => {
        expect(await read(control, 'r', 's')).toStrictEqual(absent);
        expect(await read(control, 'q', 's')).toStrictEqual(absent);
      };
      const outcome = control.run({ sessionKey: 's', runId: 'r', owner: ada }, untilCut);
      await control.start({ sessionKey: 's', runId: 'q', owner: ada, whenBusy: 'enqueue' }, untilCut);
      await look();
      const receipt = control.abort('all');
      await look();
      await (await receipt).whenQuiet();
      await outcome;
      await look();
    });
  }

  for (const options of [{}, { kind: 'chat' }]) {
    test(`wait ${JSON.stringify(options)}: a foreign run looks absent also while the backend is out of reach`, async () => {
      const slow = new FaultyBackend();
      const { control } = tracked({ backend: slow });
      const outcome = control.run({ sessionKey: 's', runId: 'r', owner: ada }, untilCut);
      await flush();
      const answers = ['r', 'none'].map((id) => {
        slow.failNext('readRun');
        return control.wait(id, { requester: eve, ...options }).catch(said);
      });
      const [foreign, absent] = await Promise.all(answers);
      expect(foreign).toStrictEqual(absent);
      await control.abort('all');
      await outcome;
    });
  }

  for (const whenBusy of ['interrupt', 'reject'] as const) {
    test(`cannot take over: ${whenBusy} cuts nothing and carries no ids`, async () => {
      const { control } = tracked();
      const outcome = control.run({ sessionKey: 's', runId: 'r', owner: ada }, untilCut);
      await control.start({ sessionKey: 's', runId: 'q', owner: ada, whenBusy: 'enqueue' }, untilCut);
      const refused = await control.run({ sessionKey: 's', owner: eve, whenBusy }, untilCut);
      const cause = whenBusy === 'interrupt' ? 'forbidden' : 'busy';
      expect(refused).toEqual({ status: 'rejected', cause, runIds: [], leftovers: [] });
      expect(control.runs.session('s')).toMatchObject({ activeRunIds: ['r'], queuedRunIds: ['q'] });
      await control.abort('all');
      await outcome;
    });
  }

  test('cannot take over runs of which one is foreign: the own one goes on too', async () => {
    const { control } = tracked();
    const own = control.run({ sessionKey: 's', runId: 'own', owner: eve }, untilCut);
    await control.start({ sessionKey: 's', runId: 'foreign', owner: ada, whenBusy: 'concurrent' }, untilCut);
    expect(await control.run({ sessionKey: 's', owner: eve }, untilCut)).toMatchObject({ cause: 'forbidden' });
    expect(control.runs.session('s').activeRunIds).toEqual(['own', 'foreign']);
    await control.abort('all');
    await own;
  });

  test('cannot take over a run of another node', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const outcome = there.control.run({ sessionKey: 's', runId: 'r', owner: ada }, untilCut);
    const refused = await here.control.run({ sessionKey: 's', owner: eve }, untilCut);
    expect(refused).toEqual({ status: 'rejected', cause: 'forbidden', runIds: [], leftovers: [] });
    expect(there.control.runs.get('r')?.status).toBe('running');
    await there.control.abort('all');
    await outcome;
  });

  test('gets the same conflict for another’s id, whatever its state, and learns nothing (F10)', async () => {
    const { control } = tracked();
    const outcome = control.run({ sessionKey: 's', runId: 'r', owner: ada }, untilCut);
    const attempt = (sessionKey: string): Promise<unknown> =>
      control.run({ sessionKey, runId: 'r', owner: eve }, untilCut).then(() => 'started', said);
    const conflicts = [await attempt('s'), await attempt('t')];
    await control.abort({ runId: 'r' });
    await outcome;
    conflicts.push(await attempt('s'));
    const own = await control.run({ sessionKey: 't', runId: 'r', owner: ada }, untilCut).catch(said);
    for (const conflict of conflicts) expect(conflict).toEqual(own);
    expect(own).toMatchObject({ code: 'RUN_ID_CONFLICT', fields: ['code'] });
    expect(JSON.stringify(own)).not.toMatch(/ada|"s"/);
    expect(control.runs.session('t').hasActiveRun).toBe(false);
  });

  test('cannot stop by id or by session, and its intent is not honoured (A44)', async () => {
    const { control } = tracked();
    await control.abort({ sessionKey: 's', runId: 'r' }, { intent: true, requester: eve });
    const outcome = control.run({ sessionKey: 's', runId: 'r', owner: ada }, untilCut);
    for (const selector of [{ runId: 'r' }, { sessionKey: 's' }, 'all'] as const) {
      expect(await control.abort(selector, { requester: eve })).toMatchObject({ result: 'forbidden', runIds: [] });
    }
    expect(control.runs.get('r')?.status).toBe('running');
    await control.abort('all', { requester: ada });
    await outcome;
  });
});

describe('by default', () => {
  const cases: readonly [string, Principal | undefined, Requester | undefined, boolean][] = [
    ['the host itself', ada, undefined, true],
    ['ADMIN', ada, ADMIN, true],
    ['the user on another device', ada, { userId: 'ada', deviceId: 'tablet' }, true],
    ['the device after a reconnect', ada, { deviceId: 'phone', connId: '2' }, true],
    ['the connection', ada, { connId: '1' }, true],
    ['another user', ada, eve, false],
    ['a user whose name is the device’s', ada, { userId: 'phone' }, false],
    ['the host itself on a run without owner', undefined, undefined, true],
    ['ADMIN on a run without owner', undefined, ADMIN, true],
    ['a principal on a run without owner', undefined, ada, false],
  ];
  test.each(cases)('%s (A39, A40, A41)', async (_name, owner, requester, isAllowed) => {
    const { control } = tracked();
    const whose = owner === undefined ? {} : { owner };
    const by: ReadOptions = requester === undefined ? {} : { requester };
    const outcome = control.run({ sessionKey: 's', runId: 'r', ...whose }, untilCut);
    expect(control.runs.isActive('s', by)).toBe(isAllowed);
    expect(await control.abort({ runId: 'r' }, by)).toMatchObject({
      result: isAllowed ? 'aborted' : 'forbidden',
    });
    await control.abort('all');
    await outcome;
  });

  test('ownerless runs are closed, and OWNER_MISSING is reported once', async () => {
    const { control, errors } = tracked();
    const outcome = control.run({ sessionKey: 's' }, untilCut);
    for (let i = 0; i < 3; i++) await control.abort({ sessionKey: 's' }, { requester: ada });
    expect(errors).toMatchObject([{ code: 'OWNER_MISSING' }]);
    await control.abort('all');
    await outcome;
  });

  test('ownerless: open lets anybody act on runs without owner, and on no others (A42)', async () => {
    const { control, errors } = tracked({ ownerless: 'open' });
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    await control.start({ sessionKey: 't', owner: ada }, untilCut);
    expect(await control.abort('all', { requester: eve })).toMatchObject({ result: 'aborted', runIds: ['r'] });
    expect(errors).toEqual([]);
    await control.abort('all');
    await outcome;
  });
});

describe('authorize', () => {
  test('is asked with the action, the principal and the target, and never for host and ADMIN', async () => {
    const asked: unknown[] = [];
    const { control } = tracked({
      authorize: (question) => {
        // The same question may be asked again, before the effect.
        if (!asked.some((earlier) => isDeepStrictEqual(earlier, question))) asked.push(question);
        return true;
      },
    });
    const run = { sessionKey: 's', runId: 'r', kind: 'agent', owner: ada };
    const outcome = control.run({ ...run }, untilCut);
    await control.start({ sessionKey: 's', runId: 'next', kind: 'chat', owner: eve }, untilCut);
    control.runs.get('next', { requester: ada });
    await control.abort({ runId: 'next' }, { requester: ADMIN });
    await control.abort('all');
    await outcome;
    const next = { sessionKey: 's', runId: 'next', kind: 'chat', owner: eve };
    expect(asked).toEqual([
      { action: 'start', principal: ada, target: run },
      { action: 'start', principal: eve, target: next },
      { action: 'supersede', principal: eve, target: run },
      { action: 'read', principal: ada, target: next },
    ]);
  });

  test('that refuses start leaves no trace', async () => {
    const { control } = tracked({ authorize: () => false });
    const outcome = control.run({ sessionKey: 's' }, untilCut);
    const refused = await control.run({ sessionKey: 's', runId: 'x', owner: eve }, untilCut);
    expect(refused).toEqual({ status: 'rejected', cause: 'forbidden', runIds: [], leftovers: [] });
    expect(control.runs.get('x')).toBeUndefined();
    expect(control.runs.session('s').activeRunIds).toHaveLength(1);
    await control.abort('all');
    await outcome;
  });

  const broken = new Error('database is down');
  const noes: Readonly<Record<string, () => unknown>> = {
    throws: () => {
      throw broken;
    },
    'promises true': async () => true,
    'promises a failure': () => Promise.reject(broken),
    'answers 1': () => 1,
    'answers "yes"': () => 'yes',
    'answers nothing': () => undefined,
  };
  for (const [name, authorize] of Object.entries(noes)) {
    test(`that ${name} means no, and onError hears of it (A20)`, async () => {
      const { control, errors } = tracked({ authorize: authorize as Authorize });
      const outcome = control.run({ sessionKey: 's' }, untilCut);
      expect(await control.abort({ sessionKey: 's' }, { requester: ada })).toMatchObject({ result: 'forbidden' });
      await flush();
      expect(errors.length).toBeGreaterThan(0);
      await control.abort('all');
      await outcome;
    });
  }

  test('that answers false is no error', async () => {
    const { control, errors } = tracked({ authorize: () => false });
    const outcome = control.run({ sessionKey: 's' }, untilCut);
    await control.abort({ sessionKey: 's' }, { requester: ada });
    expect(errors).toEqual([]);
    await control.abort('all');
    await outcome;
  });
});

test('owner and tags are copied and frozen: changing what was given changes nothing', async () => {
  const { control } = tracked();
  const owner = { userId: 'ada' };
  const tags = ['x'];
  const begun = control.runs.beginSync({ sessionKey: 's', runId: 'r', owner, tags });
  if (begun.status !== 'started') throw new Error(begun.status);
  const { run } = begun;
  owner.userId = 'eve';
  tags.push('y');
  expect([run.owner, run.tags]).toEqual([{ userId: 'ada' }, ['x']]);
  expect(control.runs.get('r')).toMatchObject({ owner: { userId: 'ada' }, tags: ['x'] });
  expect([run.owner, run.tags].every(Object.isFrozen)).toBe(true);
  expect(control.runs.get('r', { requester: eve })).toBeUndefined();
  run.complete();
});

describe('control.may', () => {
  const target = { sessionKey: 's', runId: 'r', kind: 'chat', owner: ada };

  test('answers what the control itself would say (A89)', () => {
    const asked: unknown[] = [];
    const { control, errors } = tracked({
      authorize: (question) => {
        asked.push(question);
        return question.action === 'read';
      },
    });
    expect(control.may('abort', target)).toBe(true);
    expect(control.may('abort', target, { requester: HOST })).toBe(true);
    expect(control.may('abort', target, { requester: ADMIN })).toBe(true);
    expect(asked).toEqual([]);
    expect(control.may('abort', target, { requester: eve })).toBe(false);
    expect(control.may('read', target, { requester: eve })).toBe(true);
    expect(asked).toEqual([
      { action: 'abort', principal: eve, target },
      { action: 'read', principal: eve, target },
    ]);
    expect(errors).toEqual([]);
  });

  test('a target without owner is a run without owner (A89)', () => {
    const closed = tracked();
    expect(closed.control.may('read', { sessionKey: 's' }, { requester: ada })).toBe(false);
    expect(closed.errors).toMatchObject([{ code: 'OWNER_MISSING' }]);
    expect(tracked({ ownerless: 'open' }).control.may('read', { sessionKey: 's' }, { requester: ada })).toBe(true);
  });

  for (const action of ['steer', 'answer'] as const) {
    test(`${action} needs the owner’s user, and any other action one id in common (A90)`, () => {
      const { control } = tracked();
      const phone = { deviceId: 'phone', connId: '1' };
      expect(control.may('read', target, { requester: phone })).toBe(true);
      expect(control.may(action, target, { requester: phone })).toBe(false);
      expect(control.may(action, { ...target, owner: phone }, { requester: phone })).toBe(false);
      expect(control.may(action, target, { requester: { userId: 'ada' } })).toBe(true);
      expect(control.may(action, target, { requester: eve })).toBe(false);
    });
  }

  test('refuses what is no question', () => {
    const { control } = tracked();
    const may =
      (...given: unknown[]) =>
      () =>
        (control.may as (...given: unknown[]) => boolean)(...given);
    for (const wrong of [
      may('delete', target),
      may('read', undefined),
      may('read', target, { requester: undefined }),
      may('read', target, { by: ada }),
    ])
      expect(wrong).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });

  test('the clock of a control is the one that it was given', () => {
    const { control, clock } = tracked();
    const before = control.clock.monotonic();
    clock.jumpWall(5);
    expect([control.clock.monotonic(), control.clock.now()]).toEqual([before, clock.now()]);
  });
});
