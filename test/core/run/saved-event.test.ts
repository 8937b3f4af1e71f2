import type { RunControl, RunEvents } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

const EVENTS = ['run:aborted', 'run:ended', 'run:saved', 'run:quiet', 'run:forgotten'] as const;

/** The events in their order, and what `runs.get` says while each is delivered. */
function observed(control: RunControl): string[] {
  const log: string[] = [];
  for (const name of EVENTS) {
    control.on(name, ({ run }: RunEvents[typeof name]) => {
      const { saved } = run;
      log.push([name, run.runId, saved?.state, saved?.how].filter((word) => word !== undefined).join(' '));
      const now = control.runs.get(run.runId);
      if (name === 'run:forgotten') expect(now).toBeUndefined();
      else expect(now?.saved).toEqual(saved);
    });
  }
  return log;
}

describe('run:saved', () => {
  test('comes with the end of a run that was not stopped, and says how its draft was saved (F18)', async () => {
    const { control } = tracked();
    const log = observed(control);
    await control.run({ sessionKey: 's', runId: 'plain' }, () => 1);
    await control.run({ sessionKey: 's', runId: 'whole', save: () => {} }, (run) => run.draft().commit());
    const failing = { sessionKey: 's', runId: 'failed', save: () => {} };
    await control.run(failing, () => Promise.reject(new Error('model'))).catch(() => {});
    expect(log).toEqual([
      'run:ended plain none',
      'run:saved plain none',
      'run:ended whole saved whole',
      'run:saved whole saved whole',
      'run:ended failed saved failed',
      'run:saved failed saved failed',
    ]);
  });

  test('comes once an aborted run is saved, before quiet, and does not wait for a deaf tool (F18)', async () => {
    const { control } = tracked();
    const log = observed(control);
    const [store, deaf] = [gate(), gate()];
    void control.run({ sessionKey: 's', runId: 'r', save: () => store.promise }, (run) =>
      run.gate(() => deaf.promise, { name: 'deaf' })(),
    );
    void control.abort({ sessionKey: 's' });
    await flush();
    expect(log).toEqual(['run:aborted r', 'run:ended r']);
    expect(control.runs.get('r')).toMatchObject({ status: 'stopping', saved: undefined });
    store.open();
    await flush();
    expect(log.slice(2)).toEqual(['run:saved r saved cut']);
    expect(control.runs.get('r')).toMatchObject({ status: 'stopping', saved: { state: 'saved', how: 'cut' } });
    deaf.open();
    await flush();
    expect(log.slice(3)).toEqual(['run:quiet r saved cut']);
  });

  test('comes at the cut for a run that has nothing to save, running or queued (F18)', async () => {
    const { control } = tracked();
    const log = observed(control);
    void control.run({ sessionKey: 's', runId: 'first' }, untilCut);
    void control.run({ sessionKey: 's', runId: 'second', whenBusy: 'enqueue' }, untilCut);
    void control.abort({ sessionKey: 's' });
    expect(log.filter((line) => line.startsWith('run:saved'))).toEqual([
      'run:saved second none',
      'run:saved first none',
    ]);
    await flush();
  });

  test.each([
    ['a save that hangs, at the end of its time', 'epilogueMs', 'timed-out'],
    ['a commit that hangs, at the end of the write grace', 'writeGraceMs', 'none'],
  ])('comes for %s', async (_what, bound, state) => {
    const { control, clock, errors } = tracked({ defaults: { [bound]: 100 } });
    const log = observed(control);
    const hanging = gate();
    const outcome =
      bound === 'epilogueMs'
        ? control.run({ sessionKey: 's', runId: 'r', save: () => hanging.promise }, untilCut)
        : control.run({ sessionKey: 's', runId: 'r' }, (run) => run.commit(() => hanging.promise));
    void control.abort({ sessionKey: 's' });
    await clock.advance(99);
    expect(log).not.toContain(`run:saved r ${state}`);
    await clock.advance(1);
    expect(log).toContain(`run:saved r ${state}`);
    hanging.open();
    await outcome;
    await flush();
    expect(log.filter((line) => line.startsWith('run:saved'))).toHaveLength(1);
    expect(errors).toHaveLength(1);
  });

  test('waits for the outcome, where the backend says it later', async () => {
    const { control, clock } = tracked({ backend: new FaultyBackend({ over: memory() }) });
    const log = observed(control);
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    await clock.advance(10);
    void control.abort({ sessionKey: 's' });
    expect(log).toEqual(['run:aborted r']);
    expect(control.runs.get('r')).toMatchObject({ status: 'stopping', saved: undefined });
    await clock.advance(10);
    await outcome;
    expect(log.slice(1)).toEqual(['run:ended r none', 'run:saved r none', 'run:quiet r none']);
  });

  test('is told of a run that a listener of its end has already begun again', async () => {
    const { control } = tracked();
    const saved: (readonly [number, string | undefined])[] = [];
    const options = { sessionKey: 's', runId: 'r', onDuplicate: 'retry-lost' } as const;
    let isAgain = false;
    control.on('run:ended', () => {
      if (isAgain) return;
      isAgain = true;
      void control.run(options, () => 2);
    });
    control.on('run:saved', ({ run }) => saved.push([run.generation, run.saved?.state]));
    const work = control.run(options, untilCut);
    void control.abort({ runId: 'r' }, { reason: 'disconnect' });
    await work;
    await flush();
    expect(saved).toEqual([
      [1, 'none'],
      [2, 'none'],
    ]);
  });
});

describe('run:forgotten', () => {
  test('comes when the retention of a run is over (F19)', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 100, max: 2 } });
    const log = observed(control);
    for (const runId of ['a', 'b', 'c']) await control.run({ sessionKey: 's', runId }, () => 1);
    expect(log.filter((line) => line.startsWith('run:forgotten'))).toEqual(['run:forgotten a none']);
    await clock.advance(100);
    expect(log.slice(-2)).toEqual(['run:forgotten b none', 'run:forgotten c none']);
  });

  test('comes with the end, where nothing is retained, and with a drain (F19)', async () => {
    const { control } = tracked({ retention: { ttlMs: 0 } });
    const log = observed(control);
    await control.run({ sessionKey: 's', runId: 'r' }, () => 1);
    expect(log).toEqual(['run:ended r none', 'run:saved r none', 'run:forgotten r none']);
    const kept = tracked();
    const drained = observed(kept.control);
    await kept.control.run({ sessionKey: 's', runId: 'r' }, () => 1);
    await kept.control.drain();
    expect(drained.at(-1)).toBe('run:forgotten r none');
  });

  test('comes for a request that was refused after its id was reserved (F19)', async () => {
    const backend = new FaultyBackend({ over: memory() });
    const { control, clock } = tracked({ backend });
    const log = observed(control);
    backend.failNext('claim');
    const refused = control.run({ sessionKey: 's', runId: 'r' }, () => 1);
    const known = control.runs.get('r');
    await Promise.all([expect(refused).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' }), clock.advance(10)]);
    expect(known).toMatchObject({ status: 'queued', generation: 0 });
    expect(log).toEqual(['run:saved r none', 'run:forgotten r none']);
  });

  test('is told of the run that was repeated, by its generation, while the repetition is known', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 100 } });
    const forgotten: number[] = [];
    control.on('run:forgotten', ({ run }) => forgotten.push(run.generation));
    const options = { sessionKey: 's', runId: 'r', onDuplicate: 'retry-lost' } as const;
    const first = await begin(control, options);
    await control.abort({ runId: 'r' }, { reason: 'disconnect' });
    first.fail(new Error('unwound'));
    await clock.advance(50);
    const second = await begin(control, options);
    await clock.advance(50);
    expect(forgotten).toEqual([first.generation]);
    expect(control.runs.get('r')?.generation).toBe(second.generation);
    second.complete();
  });
});
