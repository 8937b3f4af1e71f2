import { isRunfenceError, RunRegistry } from 'runfence';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';

describe('a handle', () => {
  test.each([
    ['complete', 'completed'],
    ['fail', 'failed'],
  ] as const)('ends by %s: once, and the first result stays', async (how, status) => {
    const { control } = tracked();
    const run = await begin(control, { runId: 'r' });
    expect([run.status, run.isCurrent()]).toEqual(['running', true]);
    expect([run[how]('first'), run.complete('second'), run.fail('third')]).toEqual([true, false, false]);
    expect([run.status, run.isCurrent(), run.signal.aborted]).toEqual([status, false, false]);
    expect(control.runs.get('r')).toMatchObject({ status });
  });

  test.each(['complete', 'fail', 'dispose'] as const)(
    'that was cut is quiet once its holder says so, by %s',
    async (how) => {
      const { control } = tracked();
      const run = await begin(control);
      const receipt = await control.abort({ runId: run.id });
      expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([
        { state: 'leftovers', leftovers: ['work'] },
      ]);
      if (how === 'dispose') await run[Symbol.asyncDispose]();
      else expect(run[how](undefined)).toBe(false);
      expect(run.status).toBe('aborted');
      expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    },
  );

  test('that is disposed unfinished fails, and says what is missing', async () => {
    const { control } = tracked();
    const run = await begin(control, { runId: 'r' });
    await run[Symbol.asyncDispose]();
    expect(await control.wait('r')).toMatchObject({ status: 'failed', error: { code: 'RUN_DISPOSED' } });
  });

  test('that is disposed after its end keeps its result (A33)', async () => {
    const { control } = tracked();
    const run = await begin(control, { runId: 'r' });
    run.complete(1);
    await run[Symbol.asyncDispose]();
    await run[Symbol.asyncDispose]();
    expect(await control.wait('r')).toMatchObject({ status: 'completed' });
  });

  test('says what it is, and its owner and tags are copies', async () => {
    const { control, clock } = tracked();
    const [owner, tags] = [{ userId: 'ada' }, ['a']];
    const run = await begin(control, { runId: 'r', kind: 'cron', owner, tags });
    owner.userId = 'eve';
    tags.push('b');
    expect(run).toMatchObject({
      id: 'r',
      sessionKey: 's',
      kind: 'cron',
      owner: { userId: 'ada' },
      tags: ['a'],
      startedAt: clock.now(),
      parentId: undefined,
    });
    expect([Object.isFrozen(run.owner), Object.isFrozen(run.tags)]).toEqual([true, true]);
    run.complete();
  });
});

test('beginSync answers without a promise', () => {
  const { control } = tracked();
  const begun = control.runs.beginSync({ sessionKey: 's' });
  if (begun.status !== 'started') throw new Error(begun.status);
  begun.run.complete();
});

test('generations rise over sessions that end and begin again, and over retention (D6, D9)', async () => {
  const { control, clock } = tracked({ retention: { ttlMs: 10 } });
  const generations: number[] = [];
  for (let i = 0; i < 5; i++) {
    const run = await begin(control, { runId: 'same' });
    generations.push(run.generation);
    run.complete();
    await clock.advance(10);
    expect(control.runs.sizes).toEqual({ entries: 0, lanes: 0, locks: 0, stops: 0, timers: 0 });
  }
  expect(generations).toEqual([...new Set(generations)].sort((a, b) => a - b));
});

test('a registry alone begins, lists and takes over, without a control (F8)', () => {
  const runs = new RunRegistry({ retention: { ttlMs: 0 } });
  const [first, second] = [runs.beginSync({ sessionKey: 's' }), runs.beginSync({ sessionKey: 's' })];
  if (first.status !== 'started' || second.status !== 'started') throw new Error('not started');
  expect(runs.list().map(({ runId, status }) => [runId, status])).toEqual([
    [first.run.id, 'stopping'],
    [second.run.id, 'running'],
  ]);
  first.run.complete();
  second.run.complete();
  expect(runs.list()).toEqual([]);
});

test.each([
  ['no session', {}],
  ['a blank session', { sessionKey: ' ' }],
  ['a session of another type', { sessionKey: 7 }],
  ['an endless session', { sessionKey: 'x'.repeat(1_025) }],
  ['an unknown option', { sessionKey: 's', timeout: 5 }],
  ['a blank id', { sessionKey: 's', runId: '' }],
  ['an unknown whenBusy', { sessionKey: 's', whenBusy: 'rollback' }],
  ['an unknown startWhen', { sessionKey: 's', startWhen: 'now' }],
  ['an empty owner', { sessionKey: 's', owner: {} }],
  ['an owner with more in it', { sessionKey: 's', owner: { userId: 'ada', admin: true } }],
  ['a signal that is none', { sessionKey: 's', signal: {} }],
  ['tags that are no list', { sessionKey: 's', tags: 'a' }],
  ['no options', undefined],
])('%s is INVALID_OPTIONS, and nothing is stopped for it (D4)', async (_, options) => {
  const { control } = tracked();
  const run = await begin(control);
  await expect(control.runs.begin(options as never)).rejects.toSatisfy((error) =>
    isRunfenceError(error, 'INVALID_OPTIONS'),
  );
  expect(() => control.runs.beginSync(options as never)).toThrow();
  expect(run.isCurrent()).toBe(true);
  run.complete();
});
