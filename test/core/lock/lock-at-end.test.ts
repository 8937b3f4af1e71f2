import type { AbortReason, Run, RunControl } from 'runfence';
import { type FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked, upstream } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

interface Held {
  readonly control: RunControl;
  readonly clock: FakeClock;
  readonly parent: Run;
  readonly run: Run;
  readonly controller: AbortController;
}

const REASONS: readonly AbortReason[] = [
  'user',
  'superseded',
  'disconnect',
  'timeout',
  'parent',
  'upstream',
  'shutdown',
  'heartbeat-lost',
  'lock-lost',
  'policy',
];

const CAUSES: readonly [string, AbortReason, (held: Held) => unknown][] = [
  ...REASONS.map((reason): (typeof CAUSES)[number] => [
    `an abort as ${reason}`,
    reason,
    ({ control, run }) => control.abort({ runId: run.id }, { reason }),
  ]),
  ['a session stop', 'user', ({ control }) => control.abort({ sessionKey: 's' })],
  ['a takeover', 'superseded', async ({ control }) => (await begin(control)).complete()],
  ['its timeout', 'timeout', ({ clock }) => clock.advance(100)],
  ['its parent’s end', 'parent', ({ parent }) => parent.complete()],
  ['its caller’s signal', 'upstream', ({ controller }) => controller.abort()],
  ['a drain', 'shutdown', ({ control }) => void control.drain({ graceMs: 0 })],
];

test.each(CAUSES)(
  '%s frees the lock at once; only a timeout leaves the run abandoned (C17)',
  async (_, reason, cut) => {
    const { control, clock } = tracked();
    const controller = upstream();
    const parent = await begin(control);
    const [stuck, started] = [gate(), gate<Run>()];
    const outcome = parent.child({ timeoutMs: 100, signal: controller.signal }, (child) => {
      started.open(child);
      return stuck.promise;
    });
    const run = await started.promise;
    const grant = await control.locks.acquire('s', { holder: run });
    await cut({ control, clock, parent, run, controller });
    expect(run.reason).toBe(reason);
    expect(grant.isHeld()).toBe(false);
    expect(await control.locks.holder('s')).toBeUndefined();
    await clock.advance(5_000);
    expect(control.runs.abandoned().map(({ runId }) => runId)).toEqual(reason === 'timeout' ? [run.id] : []);
    stuck.open();
    await outcome;
    parent.complete();
    await flush();
  },
);

describe('a run that ends without releasing its lock frees it', () => {
  test.each([
    ['complete', (run: Run) => run.complete()],
    ['fail', (run: Run) => run.fail(new Error('no'))],
    ['dispose', (run: Run) => run[Symbol.asyncDispose]()],
  ])('by %s', async (_, end) => {
    const { control } = tracked();
    const run = await begin(control);
    const grant = await control.locks.acquire('s', { holder: run });
    const next = control.locks.acquire('s');
    await end(run);
    expect(grant.isHeld()).toBe(false);
    (await next).release();
  });

  test('by an error of its work (C24)', async () => {
    const { control } = tracked();
    const broken = new Error('before the clean-up');
    const outcome = control.run({ sessionKey: 's' }, async (run) => {
      await control.locks.acquire('s', { holder: run });
      throw broken;
    });
    await expect(outcome).rejects.toBe(broken);
    expect(await control.locks.holder('s')).toBeUndefined();
  });
});

test.each([
  ['completes', (run: Run) => run.complete()],
  ['disposes', (run: Run) => run[Symbol.asyncDispose]()],
])('a section that %s its own run finishes, and the lock is free after it (C23)', async (_, end) => {
  const { control } = tracked();
  const run = await begin(control);
  const written = run.commit(async () => {
    await end(run);
    expect(await control.locks.holder('s')).toMatchObject({ runId: run.id });
    return 'saved';
  });
  expect(await written).toBe('saved');
  expect(await control.locks.holder('s')).toBeUndefined();
});

describe('the lock comes before the clean-up', () => {
  test('it is free for the next when what is attached is stopped, however long that takes (C34)', async () => {
    const { control } = tracked();
    const run = await begin(control);
    await control.locks.acquire('s', { holder: run });
    const stopping = gate();
    let next: Promise<{ release(): void }> | undefined;
    run.attach({
      name: 'browser',
      stop: () => {
        next = control.locks.acquire('s', { timeoutMs: 0 });
        return stopping.promise;
      },
    });
    const receipt = await control.abort({ runId: run.id });
    (await next)?.release();
    expect(next).toBeDefined();
    run.complete();
    stopping.open();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true, runs: [{ lock: 'released' }] });
  });

  test('a release that fails leaves nothing of the clean-up out', async () => {
    const backend = new FaultyBackend();
    const { control, clock, errors } = tracked({ backend });
    const run = await begin(control);
    await control.locks.acquire('s', { holder: run });
    const cleaned: string[] = [];
    run.attach({ name: 'browser', stop: () => cleaned.push('attached') });
    run.defer(() => cleaned.push('deferred'));
    backend.failNext('stop');
    backend.failNext('unlock');
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    await flush();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true, runs: [{ lock: 'failed' }] });
    expect(cleaned).toEqual(['attached', 'deferred']);
    expect(errors.length).toBeGreaterThan(0);
    await clock.advance(2_000);
    await flush();
  });
});
