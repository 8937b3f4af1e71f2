import type { RunEvents } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { queued } from '../support/queued.js';
import { tracked } from '../support/tracked.js';
import { untilCut } from '../support/work.js';

const EVENTS = ['run:started', 'run:aborted', 'run:ended', 'run:quiet', 'session:changed', 'queue:changed'] as const;

describe('a listener', () => {
  const broken = new Error('the listener is broken');
  const bad: Readonly<Record<string, () => unknown>> = {
    throws: () => {
      throw broken;
    },
    rejects: () => Promise.reject(broken),
  };
  for (const [name, listener] of Object.entries(bad)) {
    test(`that ${name} goes to onError, and breaks neither the run nor the next listener`, async () => {
      const { control, errors } = tracked();
      let heard = 0;
      for (const event of EVENTS) {
        control.on(event, listener);
        control.on(event, () => {
          heard += 1;
        });
      }
      const first = control.run({ sessionKey: 's' }, untilCut);
      const second = control.run({ sessionKey: 's', whenBusy: 'enqueue' }, () => 2);
      await flush();
      await control.abort({ sessionKey: 's' }, { queued: 'keep' });
      expect(await first).toMatchObject({ status: 'aborted' });
      expect(await second).toEqual({ status: 'completed', value: 2 });
      await flush();
      expect(heard).toBeGreaterThan(8);
      expect(errors).toEqual(Array.from({ length: heard }, () => broken));
    });
  }

  test('whose error finds a broken onError breaks nothing', async () => {
    const { control } = tracked({
      onError: () => {
        throw new Error('the reporter is broken');
      },
    });
    control.on('run:started', () => {
      throw broken;
    });
    expect(await control.run({ sessionKey: 's' }, () => 1)).toEqual({ status: 'completed', value: 1 });
  });

  test('is removed by its remover alone, once and for good', async () => {
    const { control } = tracked();
    const heard: string[] = [];
    const listener = ({ run }: RunEvents['run:started']): unknown => heard.push(run.runId);
    const remove = control.on('run:started', listener);
    control.on('run:started', listener);
    await control.run({ sessionKey: 's', runId: 'a' }, () => 1);
    remove();
    remove();
    await control.run({ sessionKey: 's', runId: 'b' }, () => 1);
    expect(heard).toEqual(['a', 'a', 'b']);
  });

  test('may remove itself and add another while it is called', async () => {
    const { control } = tracked();
    const heard: string[] = [];
    const remove = control.on('run:started', () => {
      remove();
      heard.push('first');
      control.on('run:started', () => heard.push('second'));
    });
    await control.run({ sessionKey: 's' }, () => 1);
    expect(heard).toEqual(['first']);
    await control.run({ sessionKey: 's' }, () => 1);
    expect(heard).toEqual(['first', 'second']);
  });

  for (const [event, listener] of [
    ['run:stopped', () => {}],
    ['toString', () => {}],
    ['', () => {}],
    [undefined, () => {}],
    ['run:ended', undefined],
    ['run:ended', {}],
  ]) {
    test(`is refused: ${String(event)} with ${typeof listener}`, () => {
      const { control } = tracked();
      expect(() => control.on(event as never, listener as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS' }),
      );
    });
  }
});

test('a listener that completes a run while its start is being told leaves nobody waiting for that start', async () => {
  const { control } = tracked();
  const old = await begin(control);
  const next = await queued(control);
  control.on('queue:changed', () => next.run.complete());
  old.complete();
  expect(await next.started).toEqual({ status: 'started', run: next.run });
  expect(next.run.status).toBe('completed');
});

test('a listener that frees the lock when it hears that a write was refused does not set the queue spinning', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const grant = await control.locks.acquire('s');
  const written = expect(run.commit(() => 1)).rejects.toMatchObject({ code: 'RUN_ABORTED' });
  control.on('effect:fenced', () => grant.release());
  await control.abort({ runId: run.id });
  await written;
  (await control.locks.acquire('s')).release();
  run.complete();
});

test('a run that a listener starts and cuts while its queueing is being told becomes quiet: nobody gets its handle', async () => {
  const { control } = tracked();
  const first = await begin(control);
  const stop = control.on('queue:changed', () => {
    if (first.complete()) void control.abort({ runId: 'late' });
  });
  const begun = await control.runs.begin({ sessionKey: 's', runId: 'late', whenBusy: 'enqueue' });
  stop();
  expect(begun).toEqual({ status: 'aborted', runId: 'late', reason: 'user' });
  expect(control.runs.session('s')).toMatchObject({ activeRunIds: [], stoppingRunIds: [], queuedRunIds: [] });
});
