import { AbortRegistry, HOST, type ReadOptions, type Requester } from 'runfence';
import { memory } from 'runfence/backend';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { shown } from '../support/shown.js';
import { tracked } from '../support/tracked.js';

const ADA = { userId: 'ada' };

for (const backend of [undefined, memory]) {
  describe(`HOST, ${backend === undefined ? 'on the private ledger' : 'on a backend'}`, () => {
    const node = () => tracked(backend === undefined ? {} : { backend: backend() });

    test('is the host itself: it reads and stops everything, and is not put to authorize (A84)', async () => {
      const asked: unknown[] = [];
      const { control } = tracked({
        ...(backend === undefined ? {} : { backend: backend() }),
        authorize: (question) => asked.push(question) < 0,
      });
      const run = await begin(control, { runId: 'r', owner: HOST });
      expect(run.owner).toBeUndefined();
      const host: ReadOptions = { requester: HOST };
      expect(control.runs.get('r', host)?.runId).toBe('r');
      expect(control.runs.list(host)).toHaveLength(1);
      expect(control.runs.session('s', host).activeRunIds).toEqual(['r']);
      expect(control.runs.isActive('s', host)).toBe(true);
      expect((await control.sessions.load('s', host)).activeRunIds).toEqual(['r']);
      expect(await control.sessions.active(host)).toHaveLength(1);
      expect(await control.wait('r', { ...host, timeoutMs: 0 })).toEqual({ status: 'timeout' });
      expect(await control.abort({ runId: 'r' }, { requester: HOST })).toMatchObject({ result: 'aborted' });
      expect(asked).toEqual([]);
      run.complete();
    });

    test('starts runs that users may not touch, as a run without owner is', async () => {
      const { control, errors } = node();
      const run = await begin(control, { runId: 'r', owner: HOST });
      expect(await control.abort({ runId: 'r' }, { requester: ADA })).toMatchObject({ result: 'forbidden' });
      expect(errors).toMatchObject([{ code: 'OWNER_MISSING' }]);
      run.complete();
    });

    test('is nobody in events: who asked is undefined there, as for a stop without requester', async () => {
      const { control } = node();
      const requesters: (Requester | undefined)[] = [];
      control.on('run:aborted', ({ requester }) => requesters.push(requester));
      const run = await begin(control, { runId: 'r' });
      await control.abort({ runId: 'r' }, { requester: HOST });
      run.complete();
      expect(requesters).toEqual([undefined]);
    });
  });
}

test('an entry of your own may be the host’s', async () => {
  const aborts = new AbortRegistry();
  const entry = aborts.register({ id: 'r', owner: HOST });
  expect(await aborts.abort({ id: 'r' } as never).catch((error) => error.code)).toBe('INVALID_OPTIONS');
  expect(await aborts.abort({ runId: 'r' }, { requester: ADA })).toMatchObject({ result: 'forbidden' });
  expect(await aborts.abort({ runId: 'r' }, { requester: HOST })).toMatchObject({ result: 'aborted' });
  if (entry.registered) entry.release();
});

describe('a user whom nobody found', () => {
  const message = /^owner .*A user who was not found must not count as the server.*say owner: HOST\.$/;

  test.each([undefined, null, { userId: undefined }, {}])(
    'as %s is refused, and the message says HOST (A84)',
    async (nobody) => {
      const { control } = tracked();
      const owner = nobody as never;
      await expect(control.run({ sessionKey: 's', owner }, () => 1)).rejects.toThrow(message);
      expect(() => new AbortRegistry().register({ id: 'r', owner })).toThrow(message);
      const says = /^requester .*say requester: HOST\.$/;
      await expect(control.abort('all', { requester: owner })).rejects.toThrow(says);
      await expect(control.wait('r', { requester: owner })).rejects.toThrow(says);
      expect(() => control.runs.list({ requester: owner })).toThrow(says);
    },
  );

  test('is an error of the types too, where exactOptionalPropertyTypes is on', async () => {
    const { control } = tracked();
    const found: { userId: string } | undefined = undefined;
    // @ts-expect-error -- undefined is not left out
    await expect(control.abort('all', { requester: found })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    // @ts-expect-error -- undefined is not left out
    await expect(control.run({ sessionKey: 's', owner: found }, () => 1)).rejects.toThrow(message);
  });

  test('in a selector has nothing to do with the host, and the message does not say it', async () => {
    const { control } = tracked();
    for (const owner of [{}, { userId: undefined }, HOST]) {
      const refused = control.abort({ owner } as never);
      await expect(refused).rejects.toThrow(/^selector\.owner (?:(?!HOST).)*$/);
    }
  });
});

test.each([7, 7n, Number.NaN])(
  'a user id that is the number %s is refused, and the message says String(id) (A85)',
  async (id) => {
    const { control } = tracked();
    const owner = { userId: id } as never;
    const says = /userId must be a non-blank string .*such as String\(id\).*got (number|bigint)\.$/;
    await expect(control.run({ sessionKey: 's', owner }, () => 1)).rejects.toThrow(says);
    await expect(control.abort('all', { requester: owner })).rejects.toThrow(says);
    await expect(control.run({ sessionKey: [id as never, 'c'] }, () => 1)).rejects.toThrow(/such as String\(id\)/);
  },
);

describe('an option that is undefined is left out, and the types of both modes say so', () => {
  test('in a run, a child, a wait, a stop, a lock and an entry', async () => {
    const { control } = tracked();
    const none = undefined;
    const some = { runId: none, kind: none, tags: none, whenBusy: none, startWhen: none, timeoutMs: none };
    const rest = {
      queueTimeoutMs: none,
      graceMs: none,
      signal: none,
      fingerprint: none,
      onDuplicate: none,
      save: none,
    };
    const done = await control.run({ sessionKey: 's', ...some, ...rest, data: none }, async (run) => {
      const child = await run.child({ ...some, ...rest, detached: none }, () => 'child');
      return child.status;
    });
    expect(done).toMatchObject({ status: 'completed', value: 'completed' });
    const stream = await control.stream({ sessionKey: 's', readTimeoutMs: none }, async function* () {});
    if (stream.status === 'started') for await (const _ of stream.stream);
    expect(await control.wait('x', { kind: none, timeoutMs: none, signal: none })).toEqual({ status: 'unknown' });
    const receipt = await control.abort('all', { reason: none, queued: none, intent: none });
    expect(await receipt.whenQuiet({ timeoutMs: none })).toMatchObject({ quiet: true });
    const grant = await control.locks.acquire('s', { holder: none, signal: none, timeoutMs: none });
    grant.release();
    expect(control.runs.isActive('s', { kind: none })).toBe(false);
    const entry = new AbortRegistry().register({ id: 'r', sessionKey: none, kind: none, tags: none, timeoutMs: none });
    if (entry.registered) entry.release();
  });
});

test.each([undefined, 5, 'host', {}])('no JSON can spell HOST: %s', async (value) => {
  const { control } = tracked();
  const requester = JSON.parse(JSON.stringify({ requester: value ?? HOST }));
  if (value === undefined) expect(requester).toEqual({});
  else await expect(control.abort('all', requester)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  expect(shown(HOST)).toBe('"(symbol)"');
});
