import type { AbortOptions, RunAbortedError, RunView } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const backends = [
  ['the private ledger', () => ({})],
  ['memory()', () => ({ backend: memory() })],
  ['a backend that answers later', () => ({ backend: new FaultyBackend() })],
] as const;

describe.each(backends)('detail on %s', (_name, options) => {
  test('is in the receipt, the outcome, the run, the views, the events, the epilogue and the draft (A80)', async () => {
    const { control } = tracked(options());
    const seen: Record<string, unknown> = {};
    control.on('run:aborted', (event) => {
      seen.aborted = event.detail;
      seen.viewAtCut = event.run.detail;
    });
    control.on('run:ended', ({ run }) => {
      seen.ended = run.detail;
    });
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, async (run) => {
      run.epilogue(({ detail }) => {
        seen.epilogue = detail;
      });
      run.draft(({ how, detail }) => {
        seen.draft = `${how} ${detail}`;
      });
      run.attach({ name: 'listed', stop: () => (seen.run = run.detail) });
      await untilCut(run);
    });
    await flush();
    const receipt = await control.abort({ sessionKey: 's' }, { reason: 'policy', detail: 'quota' });
    expect(receipt).toMatchObject({ reason: 'policy', detail: 'quota' });
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy', detail: 'quota' });
    await receipt.whenQuiet();
    expect(control.runs.get('r')).toMatchObject<Partial<RunView>>({ reason: 'policy', detail: 'quota' });
    expect(await control.wait('r')).toMatchObject({ detail: 'quota' });
    expect(seen).toEqual({
      ...{ aborted: 'quota', viewAtCut: 'quota', ended: 'quota' },
      ...{ epilogue: 'quota', draft: 'cut quota', run: 'quota' },
    });
  });

  test('is never in the reason of the signal, which SDKs forward (A81)', async () => {
    const { control } = tracked(options());
    const run = await begin(control);
    const { signal } = run;
    await control.abort({ sessionKey: 's' }, { detail: 'secret' });
    const { reason } = signal as { reason: RunAbortedError };
    expect(JSON.stringify([reason, reason.message, Object.keys(reason), String(reason)])).not.toContain('secret');
    run.complete();
    await flush();
  });

  test('is told to queued runs, and to the children', async () => {
    const { control } = tracked(options());
    const parent = await begin(control, { runId: 'parent' });
    const child = parent.child({ runId: 'child' }, untilCut);
    const { started } = await queued(control, { runId: 'queued' });
    await control.abort({ runId: 'queued' }, { detail: 'edited' });
    await control.abort({ runId: 'parent' }, { detail: 'edited' });
    parent.complete();
    expect(await started).toMatchObject({ status: 'aborted', reason: 'user', detail: 'edited' });
    expect(await child).toMatchObject({ status: 'aborted', reason: 'parent', detail: 'edited' });
    await flush();
  });

  test('of an intent is told to the run that does not begin', async () => {
    const { control } = tracked(options());
    for (const runId of ['r', 'q']) await control.abort({ sessionKey: 's', runId }, { intent: true, detail: 'early' });
    const begun = await control.runs.begin({ sessionKey: 's', runId: 'r' });
    expect(begun).toMatchObject({ status: 'aborted', reason: 'user', detail: 'early' });
    const outcome = await control.run({ sessionKey: 's', runId: 'q' }, () => expect.unreachable());
    expect(outcome).toMatchObject({ status: 'aborted', detail: 'early' });
    await flush();
  });

  test('of the first stop stays', async () => {
    const { control } = tracked(options());
    const run = await begin(control);
    await control.abort({ runId: run.id }, { detail: 'first' });
    const second = await control.abort({ runId: run.id }, { detail: 'second' });
    expect([run.detail, second.detail]).toEqual(['first', 'second']);
    run.complete();
    await flush();
    expect(await control.wait(run.id)).toMatchObject({ detail: 'first' });
  });

  test('is absent where nothing was said', async () => {
    const { control } = tracked(options());
    const run = await begin(control);
    expect(run.detail).toBeUndefined();
    const receipt = await control.abort({ runId: run.id });
    expect([run.detail, receipt.detail]).toEqual([undefined, undefined]);
    run.complete();
    await flush();
  });
});

test.each([
  ['a number', 1],
  ['nothing', ''],
  ['null', null],
  ['257 characters', 'x'.repeat(257)],
])('a detail that is %s is refused, and nothing is stopped', async (_what, detail) => {
  const { control } = tracked();
  const run = await begin(control);
  const options = { detail } as unknown as AbortOptions;
  await expect(control.abort('all', options)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  expect(run.isCurrent()).toBe(true);
  await control.abort('all', { detail: ` ${'x'.repeat(255)}` });
  expect(run.detail).toHaveLength(256);
  run.complete();
});

describe('the detail of a stop of another node', () => {
  test.each([
    ['by session', { sessionKey: 's' }],
    ['by id', { runId: 'r' }],
    ['by tag, over the list of the whole backend', { tag: 'beta' }],
  ])('%s is there and here', async (_how, selector) => {
    for (const requester of [undefined, { userId: 'ada' }]) {
      const state = memory();
      const { control: here, clock } = tracked({ backend: new FaultyBackend({ over: state, scope: 'cluster' }) });
      const { control: there } = tracked({ backend: new FaultyBackend({ over: state, scope: 'cluster' }) }, clock);
      const told: unknown[] = [];
      const saved: unknown[] = [];
      there.on('run:aborted', ({ detail }) => told.push(detail));
      const run = await begin(there, { runId: 'r', owner: { userId: 'ada' }, tags: ['beta'] });
      run.epilogue(({ detail }) => saved.push(detail));
      await flush();
      await here.abort(selector, { detail: 'pause', ...(requester !== undefined && { requester }) });
      await flush();
      expect([run.detail, told]).toEqual(['pause', ['pause']]);
      expect((await here.sessions.load('s')).runs).toMatchObject([{ runId: 'r', detail: 'pause' }]);
      run.complete();
      await flush();
      expect(saved).toEqual(['pause']);
      expect(await here.wait('r')).toMatchObject({ status: 'aborted', detail: 'pause' });
      expect(await there.wait('r')).toMatchObject({ status: 'aborted', detail: 'pause' });
    }
  });

  test('that was recorded first is the run’s, whatever was said here', async () => {
    const state = memory();
    const slow = new FaultyBackend({ over: state, scope: 'cluster' });
    const { control, clock } = tracked({ backend: slow });
    const { control: there } = tracked({ backend: state }, clock);
    const run = await begin(control, { runId: 'r' });
    slow.isDeaf = true;
    await there.abort({ runId: 'r' }, { reason: 'policy', detail: 'theirs' });
    await control.abort({ runId: 'r' }, { detail: 'ours' });
    run.complete();
    await flush();
    expect(await control.wait('r')).toMatchObject({ reason: 'policy', detail: 'theirs' });
  });
});
