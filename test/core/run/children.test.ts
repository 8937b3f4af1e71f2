import type { Run } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { runsIn } from '../../support/records.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

/** A child that goes on until it is cut, and its handle. */
function childOf(parent: Run, options: Parameters<Run['child']>[0] = {}): { run: Run; outcome: Promise<unknown> } {
  let run: Run | undefined;
  const outcome = parent.child(options, (child) => {
    run = child;
    return untilCut(child);
  });
  if (run === undefined) throw new Error('The child has not started.');
  return { run, outcome };
}

test('a child starts beside its parent, in its session, of its kind, with its owner', async () => {
  const { control } = tracked();
  const parent = await begin(control, { kind: 'agent', owner: { userId: 'ada' }, tags: ['parent'] });
  const { run, outcome } = childOf(parent, { tags: ['child'] });
  expect(run).toMatchObject({
    sessionKey: 's',
    kind: 'agent',
    owner: { userId: 'ada' },
    tags: ['child'],
    parentId: parent.id,
    status: 'running',
  });
  expect(run.generation).toBeGreaterThan(parent.generation);
  expect(parent.isCurrent()).toBe(true);
  await control.abort('all');
  await outcome;
  parent.complete();
});

test('a child may have another session and another kind', async () => {
  const { control } = tracked();
  const parent = await begin(control);
  const { run, outcome } = childOf(parent, { sessionKey: 'other', kind: 'tool' });
  expect([run.sessionKey, run.kind]).toEqual(['other', 'tool']);
  expect(control.runs.session('s').activeRunIds).toEqual([parent.id]);
  await control.abort('all');
  await outcome;
  parent.complete();
});

test.each([
  ['an owner of its own', { owner: { userId: 'eve' } }],
  ['an unknown option', { detach: true }],
  ['detached that is no boolean', { detached: 'yes' }],
  ['a timeout of 0', { timeoutMs: 0 }],
])('child() rejects %s as INVALID_OPTIONS, and never throws', async (_, options) => {
  const { control } = tracked();
  const parent = await begin(control);
  const child = parent.child(options as object, () => 1);
  await expect(child).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  parent.complete();
});

test('child() rejects work that is no function, and an id that is taken', async () => {
  const { control } = tracked();
  const parent = await begin(control, { runId: 'taken' });
  await expect(parent.child({}, undefined as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  await expect(parent.child({ runId: 'taken', kind: 'tool' }, () => 1)).rejects.toMatchObject({
    code: 'RUN_ID_CONFLICT',
  });
  parent.complete();
});

describe('an abort of the parent', () => {
  test('cuts the whole closure before any signal is fired (H6)', async () => {
    const { control } = tracked();
    const parent = await begin(control);
    const child = childOf(parent);
    const grandchild = childOf(child.run, { sessionKey: 'other' });
    const runs = [parent, child.run, grandchild.run];
    const seen: boolean[][] = [];
    for (const run of runs) run.signal.addEventListener('abort', () => seen.push(runs.map((one) => one.isCurrent())));
    const receipt = await control.abort({ runId: parent.id });
    expect(seen).toEqual(runs.map(() => [false, false, false]));
    expect(runs.map(({ reason }) => reason)).toEqual(['user', 'parent', 'parent']);
    await Promise.all([child.outcome, grandchild.outcome]);
    parent.complete();
    const { quiet, runs: reports } = await receipt.whenQuiet();
    expect([quiet, reports.map(({ runId }) => runId)]).toEqual([true, runs.map(({ id }) => id)]);
  });

  test('is recorded in the session of each of them', async () => {
    const state = memory();
    const { control } = tracked({ backend: new FaultyBackend({ over: state }) });
    const parent = await begin(control);
    const isOver = gate();
    const child = parent.child({ sessionKey: 'other' }, () => isOver.promise);
    await flush();
    await control.abort({ runId: parent.id });
    for (const sessionKey of ['s', 'other']) {
      expect(await runsIn(state, sessionKey)).toMatchObject([{ status: 'stopping' }]);
    }
    isOver.open();
    expect(await child).toMatchObject({ status: 'aborted', reason: 'parent' });
    parent.complete();
  });

  test('drops a child that is queued', async () => {
    const { control } = tracked();
    const parent = await begin(control);
    const sibling = childOf(parent);
    const queued = parent.child({ whenBusy: 'enqueue' }, () => 'never');
    await control.abort({ runId: parent.id });
    expect(await queued).toMatchObject({ status: 'aborted', reason: 'parent' });
    await sibling.outcome;
    parent.complete();
  });

  test('lets no child begin any more, also not in an abort listener', async () => {
    const { control } = tracked();
    const parent = await begin(control);
    const child = childOf(parent);
    let calls = 0;
    const late: Promise<unknown>[] = [];
    for (const run of [parent, child.run]) {
      run.signal.addEventListener('abort', () => late.push(run.child({}, () => calls++)));
    }
    await control.abort({ runId: parent.id });
    late.push(parent.child({ detached: true }, () => calls++));
    expect(await Promise.all(late)).toMatchObject(
      Array.from({ length: 3 }, () => ({ status: 'aborted', reason: 'parent' })),
    );
    expect(calls).toBe(0);
    await child.outcome;
    parent.complete();
  });

  test('leaves a detached child running', async () => {
    const { control } = tracked();
    const parent = await begin(control);
    const { run, outcome } = childOf(parent, { detached: true });
    await control.abort({ runId: parent.id });
    parent.complete();
    expect(run.isCurrent()).toBe(true);
    await control.abort({ runId: run.id });
    await outcome;
  });
});

test.each(['complete', 'fail'] as const)('a parent that ends by %s aborts the rest of its children', async (how) => {
  const { control } = tracked();
  const parent = await begin(control);
  const done = parent.child({}, () => 'done');
  const rest = childOf(parent);
  const detached = childOf(parent, { detached: true });
  expect(await done).toEqual({ status: 'completed', value: 'done' });
  parent[how](undefined);
  expect(rest.run.reason).toBe('parent');
  expect(await rest.outcome).toMatchObject({ status: 'aborted', reason: 'parent' });
  expect(detached.run.isCurrent()).toBe(true);
  await control.abort({ runId: detached.run.id });
  await detached.outcome;
});

test('a child’s error is its caller’s, and ends nobody else', async () => {
  const { control } = tracked();
  const parent = await begin(control);
  const sibling = childOf(parent);
  const failure = new Error('only the child');
  await expect(parent.child({}, () => Promise.reject(failure))).rejects.toBe(failure);
  expect([parent.isCurrent(), sibling.run.isCurrent()]).toEqual([true, true]);
  parent.complete();
  await sibling.outcome;
});

test('an abort of the child leaves its parent and its siblings running', async () => {
  const { control } = tracked();
  const parent = await begin(control);
  const [child, sibling] = [childOf(parent), childOf(parent)];
  await control.abort({ runId: child.run.id });
  expect(await child.outcome).toMatchObject({ status: 'aborted', reason: 'user' });
  expect([parent.isCurrent(), sibling.run.isCurrent()]).toEqual([true, true]);
  parent.complete();
  await sibling.outcome;
});

describe('admission ignores ancestors', () => {
  test.each(['interrupt', 'enqueue', 'reject'] as const)(
    'a grandchild that would %s starts beside them',
    async (whenBusy) => {
      const { control } = tracked();
      const parent = await begin(control);
      const child = childOf(parent, { sessionKey: 's' });
      expect(await child.run.child({ whenBusy }, () => 'ran')).toEqual({ status: 'completed', value: 'ran' });
      expect([parent.isCurrent(), child.run.isCurrent()]).toEqual([true, true]);
      parent.complete();
      await child.outcome;
    },
  );

  test('also when the backend answers with promises', async () => {
    const { control } = tracked({ backend: new FaultyBackend() });
    const outcome = control.run({ sessionKey: 's' }, (run) => run.child({ whenBusy: 'enqueue' }, () => 'ran'));
    expect(await outcome).toMatchObject({ status: 'completed', value: { status: 'completed', value: 'ran' } });
  });

  test('a child’s takeover cuts its siblings', async () => {
    const { control } = tracked();
    const parent = await begin(control);
    const sibling = childOf(parent);
    const child = childOf(parent, { whenBusy: 'interrupt' });
    expect([parent.isCurrent(), sibling.run.reason, child.run.isCurrent()]).toEqual([true, 'superseded', true]);
    parent.complete();
    await Promise.all([sibling.outcome, child.outcome]);
  });
});

test('a chain of detached runs does not keep the ones that ended', async () => {
  const { control } = tracked({ retention: { ttlMs: 0 } });
  const first: WeakRef<Run>[] = [];
  let last = gate<Run>();
  await control.run({ sessionKey: 's' }, async (run) => {
    let parent = run;
    for (let i = 0; i < 20; i++) {
      const next = gate<Run>();
      const before = parent;
      void before.child({ detached: true }, (child) => {
        next.open(child);
        return untilCut(child);
      });
      parent = await next.promise;
      if (i === 2) first.push(new WeakRef(before));
      if (i > 0) await control.abort({ runId: before.id });
    }
    last = gate<Run>();
    last.open(parent);
  });
  const survivor = await last.promise;
  await flush();
  global.gc?.();
  await flush();
  global.gc?.();
  expect(first[0]?.deref()).toBeUndefined();
  expect(survivor.isCurrent()).toBe(true);
  await control.abort('all');
  await flush();
});

test('a child of a handle that is still queued is refused, and its work not called', async () => {
  const { control } = tracked();
  const first = await begin(control);
  const waiting = await control.runs.begin({ sessionKey: 's', whenBusy: 'enqueue' });
  if (waiting.status !== 'queued') throw new Error(`The run is ${waiting.status}.`);
  const child = waiting.run.child({}, () => {
    throw new Error('The work of the child was called.');
  });
  await expect(child).rejects.toMatchObject({ code: 'RUN_QUEUED' });
  await control.abort('all');
  first.complete();
});
