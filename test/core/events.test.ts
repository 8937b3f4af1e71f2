import type { Run, RunControl, RunEvents } from 'runfence';
import { memory } from 'runfence/backend';
import { type FakeClock, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';
import { gate, untilCut } from '../support/work.js';

const RUN_EVENTS = ['run:started', 'run:aborted', 'run:ended', 'run:quiet', 'effect:fenced'] as const;
const LIVE = new Set(['queued', 'running', 'stopping']);

/** Writes down every event, and what each projection shows while it is delivered. */
function observed(control: RunControl): string[] {
  const log: string[] = [];
  const check = (sessionKey: string): void => {
    const session = control.runs.session(sessionKey);
    const listed = control.runs.list().filter((run) => run.sessionKey === sessionKey);
    const ids = (status: string): string[] => listed.filter((run) => run.status === status).map(({ runId }) => runId);
    expect(listed.every(({ status }) => LIVE.has(status))).toBe(true);
    expect(session).toEqual({
      sessionKey,
      hasActiveRun: session.activeRunIds.length > 0,
      activeRunIds: ids('running'),
      stoppingRunIds: ids('stopping'),
      queuedRunIds: ids('queued'),
    });
    expect(control.runs.isActive(sessionKey)).toBe(session.hasActiveRun);
  };
  for (const event of RUN_EVENTS) {
    control.on(event, ({ run }) => {
      log.push(`${event} ${run.runId} ${run.status}`);
      expect(control.runs.get(run.runId)).toEqual(run);
      expect(control.runs.list().some(({ runId }) => runId === run.runId)).toBe(LIVE.has(run.status));
      check(run.sessionKey);
    });
  }
  control.on('session:changed', ({ sessionKey }) => {
    const { activeRunIds, stoppingRunIds } = control.runs.session(sessionKey);
    log.push(`session:changed active [${activeRunIds}] stopping [${stoppingRunIds}]`);
    check(sessionKey);
  });
  control.on('queue:changed', ({ sessionKey, queuedRunIds }) => {
    log.push(`queue:changed [${queuedRunIds}]`);
    expect(control.runs.session(sessionKey).queuedRunIds).toEqual(queuedRunIds);
    check(sessionKey);
  });
  return log;
}

describe('every projection shows what an event announces', () => {
  test('complete (F2, F6)', async () => {
    const { control, errors } = tracked();
    const log = observed(control);
    await control.run({ sessionKey: 's', runId: 'r' }, () => 1);
    expect(errors).toEqual([]);
    expect(log).toEqual([
      'run:started r running',
      'session:changed active [r] stopping []',
      'run:ended r completed',
      'session:changed active [] stopping []',
    ]);
  });

  test('fail, with the error', async () => {
    const { control, errors } = tracked();
    const log = observed(control);
    const ended: RunEvents['run:ended'][] = [];
    control.on('run:ended', (event) => ended.push(event));
    const error = new Error('model is down');
    await control.run({ sessionKey: 's', runId: 'r' }, () => Promise.reject(error)).catch(() => {});
    expect(errors).toEqual([]);
    expect(ended).toMatchObject([{ run: { status: 'failed' }, status: 'failed', error }]);
    expect(log.slice(2)).toEqual(['run:ended r failed', 'session:changed active [] stopping []']);
  });

  for (const how of ['abort', 'timeout'] as const) {
    test(how, async () => {
      const { control, clock, errors } = tracked();
      const log = observed(control);
      const outcome = control.run({ sessionKey: 's', runId: 'r', timeoutMs: 100 }, untilCut);
      if (how === 'abort') await control.abort({ sessionKey: 's' });
      else await clock.advance(100);
      await outcome;
      await flush();
      expect(errors).toEqual([]);
      expect(log.slice(2)).toEqual([
        'run:aborted r stopping',
        'run:ended r stopping',
        'session:changed active [] stopping [r]',
        'run:quiet r aborted',
        'session:changed active [] stopping []',
      ]);
    });
  }

  test('drop from the queue', async () => {
    const { control, errors } = tracked();
    const busy = control.run({ sessionKey: 's', runId: 'busy' }, untilCut);
    const log = observed(control);
    await control.start({ sessionKey: 's', runId: 'a', whenBusy: 'enqueue' }, untilCut);
    await control.start({ sessionKey: 's', runId: 'b', whenBusy: 'enqueue' }, untilCut);
    await control.abort({ runId: 'a' });
    expect(errors).toEqual([]);
    expect(log).toEqual([
      'queue:changed [a]',
      'queue:changed [a,b]',
      'run:aborted a aborted',
      'run:ended a aborted',
      'queue:changed [b]',
      'run:quiet a aborted',
    ]);
    await control.abort('all');
    await busy;
  });

  test('the turn of a queued run (E2)', async () => {
    const { control, errors } = tracked();
    const work = gate();
    const first = control.run({ sessionKey: 's', runId: 'first' }, () => work.promise);
    const second = control.run({ sessionKey: 's', runId: 'second', whenBusy: 'enqueue' }, () => 2);
    await flush();
    const log = observed(control);
    work.open();
    await Promise.all([first, second]);
    expect(errors).toEqual([]);
    expect(log).toEqual([
      'run:ended first completed',
      'session:changed active [] stopping []',
      'queue:changed []',
      'run:started second running',
      'session:changed active [second] stopping []',
      'run:ended second completed',
      'session:changed active [] stopping []',
    ]);
  });

  test('takeover: the newer run is current before the older one’s end is told (E10)', async () => {
    const { control, errors } = tracked();
    const old = control.run({ sessionKey: 's', runId: 'old' }, untilCut);
    const log = observed(control);
    const fresh = control.run({ sessionKey: 's', runId: 'new' }, untilCut);
    await old;
    await flush();
    expect(errors).toEqual([]);
    expect(log).toEqual([
      'run:aborted old stopping',
      'run:ended old stopping',
      'session:changed active [new] stopping [old]',
      'run:started new running',
      'session:changed active [new] stopping [old]',
      'run:quiet old aborted',
      'session:changed active [new] stopping []',
    ]);
    await control.abort('all');
    await fresh;
  });

  test('a run that ended with leftovers is listed no more (F12)', async () => {
    const { control, errors } = tracked();
    const log = observed(control);
    const stuck = gate();
    await control.run({ sessionKey: 's', runId: 'r' }, (run) => {
      run.attach({ name: 'browser', stop: () => stuck.promise });
    });
    expect(errors).toEqual([]);
    expect(log.at(-1)).toBe('session:changed active [] stopping []');
    expect(control.runs.list()).toEqual([]);
    stuck.open();
    await flush();
  });

  test('a run that another node stopped', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const log = observed(there.control);
    const outcome = there.control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    await here.control.abort({ runId: 'r' });
    await outcome;
    expect(there.errors).toEqual([]);
    expect(log.slice(2, 4)).toEqual(['run:aborted r stopping', 'run:ended r stopping']);
  });
});

describe('run:ended comes once (F11)', () => {
  const ways: Readonly<Record<string, (control: RunControl, clock: FakeClock) => Promise<unknown>>> = {
    'complete, then abort': async (control) => {
      const run = await begin(control);
      run.complete();
      run.fail(new Error('late'));
      await control.abort({ runId: run.id });
    },
    'abort, then complete': async (control) => {
      const run = await begin(control);
      await control.abort({ runId: run.id });
      run.complete();
      await control.abort({ runId: run.id });
    },
    'abort in its own listener': async (control) => {
      const run = await begin(control);
      control.on('run:ended', () => {
        run.fail(new Error('late'));
        void control.abort('all');
      });
      run.complete();
    },
    'an abort by a listener of run:started': async (control) => {
      control.on('run:started', () => void control.abort('all'));
      await control.run({ sessionKey: 's' }, () => 1);
    },
    'a queue timeout, then abort': async (control, clock) => {
      const run = await begin(control);
      await control.start({ sessionKey: 's', runId: 'q', whenBusy: 'enqueue', queueTimeoutMs: 100 }, untilCut);
      await clock.advance(100);
      await control.abort({ runId: 'q' });
      run.complete();
    },
    'a takeover of a running and a queued run': async (control) => {
      const run = await begin(control);
      await control.start({ sessionKey: 's', whenBusy: 'enqueue' }, untilCut);
      (await begin(control)).complete();
      run.complete();
    },
  };
  for (const [name, way] of Object.entries(ways)) {
    test(name, async () => {
      const { control, clock } = tracked();
      const ended: string[] = [];
      control.on('run:ended', ({ run }) => ended.push(run.runId));
      await way(control, clock);
      await flush();
      expect(ended.length).toBeGreaterThan(0);
      expect(new Set(ended)).toHaveLength(ended.length);
    });
  }

  test('and not at all for what was never let in', async () => {
    const { control } = tracked();
    const log = observed(control);
    await control.abort({ sessionKey: 's', runId: 'r' }, { intent: true });
    await control.run({ sessionKey: 's', runId: 'r' }, () => 1);
    await control.run({ sessionKey: 's', signal: AbortSignal.abort() }, () => 1);
    expect(log).toEqual([]);
  });
});

describe.each([
  ['the private ledger', undefined],
  ['a backend', memory],
] as const)('run:ended carries the status of the outcome, on %s (F17)', (_name, backend) => {
  const works: Readonly<Record<string, (run: Run) => unknown>> = {
    completed: () => 1,
    failed: () => Promise.reject(new Error('model is down')),
    aborted: untilCut,
    'aborted in the queue': untilCut,
  };
  for (const [how, work] of Object.entries(works)) {
    test(how, async () => {
      const { control } = tracked(backend === undefined ? {} : { backend: backend() });
      const ended: [string, string][] = [];
      control.on('run:ended', ({ run, status }) => ended.push([run.runId, status]));
      const isQueued = how === 'aborted in the queue';
      if (isQueued) await control.start({ sessionKey: 's', runId: 'busy' }, untilCut);
      const outcome = control
        .run({ sessionKey: 's', runId: 'r', whenBusy: 'enqueue' }, work)
        .then(({ status }) => status)
        .catch(() => 'failed' as const);
      await flush();
      if (how.startsWith('aborted')) await control.abort({ runId: 'r' });
      expect(ended).toEqual([['r', await outcome]]);
      await control.abort('all');
    });
  }
});

test('effect:fenced comes once a run, however many effects are refused', async () => {
  const { control } = tracked();
  const log = observed(control);
  const run = await begin(control, { runId: 'r' });
  const send = run.fence(() => {});
  const receipt = await control.abort('all');
  for (let i = 0; i < 3; i++) send();
  run.complete();
  expect(log.filter((line) => line.startsWith('effect:fenced'))).toEqual(['effect:fenced r stopping']);
  expect((await receipt.whenQuiet()).runs).toMatchObject([{ fencedEffects: 3 }]);
});
