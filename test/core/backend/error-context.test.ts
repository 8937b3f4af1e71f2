import type { ErrorContext, RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { type FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';

const OF_RUN: ErrorContext = { sessionKey: 's', runId: 'r' };
const OF_SESSION: ErrorContext = { sessionKey: 's', runId: undefined };
const OF_UNKNOWN: ErrorContext = { sessionKey: undefined, runId: 'r' };

interface Site {
  readonly control: RunControl;
  /** Another node on the same state. */
  readonly there: RunControl;
  readonly backend: FaultyBackend;
  readonly clock: FakeClock;
}

type Told = readonly [error: unknown, about?: ErrorContext | undefined];

/** What `onError` of a control was told whose backend fails on demand. */
async function toldBy(happen: (site: Site) => Promise<unknown>): Promise<readonly Told[]> {
  const told: Told[] = [];
  const over = memory();
  const backend = new FaultyBackend({ over, scope: 'cluster' });
  const { control, clock } = tracked({
    backend,
    retention: { ttlMs: 60_000 },
    onError: (...args) => told.push(args),
  });
  const { control: there } = tracked({ backend: over }, clock);
  await happen({ control, there, backend, clock });
  await flush();
  return told;
}

describe('onError is told the session and the run', () => {
  const sites: Readonly<Record<string, (site: Site) => Promise<unknown>>> = {
    'of an end that the backend refuses': async ({ control, backend, clock }) => {
      const run = await begin(control, { runId: 'r' });
      backend.failNext('end');
      run.complete();
      await clock.advance(1_000);
    },
    'of a stop that the backend refuses': async ({ control, backend }) => {
      const run = await begin(control, { runId: 'r' });
      backend.failNext('stop');
      await control.abort({ sessionKey: 's' });
      run.complete();
    },
    'of a stop that is recorded anew, and refused': async ({ control, backend }) => {
      const run = await begin(control, { runId: 'r' });
      backend.hold('stop');
      void control.abort({ runId: 'r' });
      await flush();
      backend.failNext('stop');
      backend.failNext('stop');
      const again = control.abort({ runId: 'r' });
      backend.release('stop');
      await again;
      run.complete();
    },
    'of an intent that the backend refuses': async ({ control, backend }) => {
      backend.failNext('stop');
      await control.abort({ sessionKey: 's', runId: 'r' }, { intent: true });
    },
    'of a stop of a run of another node that the backend refuses': async ({ control, there, backend }) => {
      const run = await begin(there, { runId: 'r' });
      backend.failNext('stop');
      await control.abort({ runId: 'r' });
      run.complete();
    },
    'of a lock that the backend does not take back': async ({ control, backend, clock }) => {
      const run = await begin(control, { runId: 'r' });
      const grant = await control.locks.acquire('s', { holder: run });
      backend.failNext('unlock');
      grant.release();
      await clock.advance(1_000);
      run.complete();
    },
    'of an epilogue whose lock the backend does not take back': async ({ control, backend, clock }) => {
      const run = await begin(control, { runId: 'r' });
      run.epilogue(() => {});
      backend.failNext('unlock');
      await control.abort({ runId: 'r' });
      await clock.advance(1_000);
      run.complete();
    },
    'of an epilogue that came too late for its lock (NOT_SAVED)': async ({ control, there, backend }) => {
      const run = await begin(control, { runId: 'r' });
      backend.isDeaf = true;
      backend.failNext('announce');
      run.epilogue(() => expect.unreachable());
      const next = await begin(there);
      // A grant that the epilogue was to come before, and that nobody could know of.
      await next.commit(() => {});
      backend.heal();
      await flush();
      run.complete();
      next.complete();
    },
    'of an epilogue that the backend is not told of': async ({ control, backend, clock }) => {
      const run = await begin(control, { runId: 'r' });
      backend.failNext('announce');
      run.epilogue(() => expect.unreachable());
      await clock.advance(1_000);
      run.complete();
    },
    'of an epilogue whose lock the backend does not give': async ({ control, backend, clock }) => {
      const run = await begin(control, { runId: 'r' });
      run.epilogue(() => {});
      backend.failNext('lock');
      await control.abort({ runId: 'r' });
      run.complete();
      await clock.advance(1_000);
    },
    'of a stop that is answered too late, and whose epilogue is not taken back': async ({
      control,
      backend,
      clock,
    }) => {
      const run = await begin(control, { runId: 'r' });
      run.epilogue(() => {});
      backend.hold('stop', 'after');
      const receipt = control.abort({ runId: 'r' });
      await clock.advance(2_000);
      await receipt;
      backend.failNext('unlock');
      backend.release('stop');
      run.complete();
      await clock.advance(1_000);
    },
    'of a grant that came too late for its run, and is not taken back': async ({ control, backend, clock }) => {
      const run = await begin(control, { runId: 'r' });
      backend.hold('lock');
      const refused = expect(run.commit(() => 1)).rejects.toMatchObject({ code: 'RUN_ENDED' });
      await flush();
      run.complete();
      await refused;
      backend.failNext('unlock');
      backend.release('lock');
      await clock.advance(1_000);
    },
    'of a grant that was lost on the way, and is not taken back': async ({ control, backend, clock }) => {
      const run = await begin(control, { runId: 'r' });
      backend.failNext('lock', 'after');
      backend.failNext('unlock');
      await expect(run.commit(() => 1)).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
      await clock.advance(1_000);
      run.complete();
    },
    'of a claim that came too late, and cannot be ended': async ({ control, backend, clock }) => {
      backend.hold('claim');
      const refused = expect(begin(control, { runId: 'r' })).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
      await clock.advance(2_000);
      await refused;
      backend.failNext('end');
      backend.release('claim');
      await clock.advance(1_000);
    },
    'of a run that the backend does not forget': async ({ control, backend, clock }) => {
      (await begin(control, { runId: 'r' })).complete();
      await flush();
      backend.failNext('forget');
      await clock.advance(60_000);
    },
    'that is waited for, and cannot be looked for again': async ({ control, there, backend, clock }) => {
      const run = await begin(there, { runId: 'r' });
      const outcome = control.wait('r');
      await flush();
      backend.failNext('readRun');
      await clock.advance(1_000);
      run.complete();
      await outcome;
    },
    'whose outcome cannot be asked for': async ({ control, there, backend, clock }) => {
      const run = await begin(control, { runId: 'r' });
      backend.isDeaf = true;
      // Its node is given up, as after its lease.
      await backend.end({
        sessionKey: 's',
        runId: 'r',
        nodeId: 'another',
        seen: 0,
        generation: run.generation,
        status: 'aborted',
        reason: 'heartbeat-lost',
        report: undefined,
        retain: true,
      });
      (await begin(there)).complete();
      backend.failNext('readRun');
      backend.heal();
      await clock.advance(1_000);
      expect(run.reason).toBe('heartbeat-lost');
      run.complete();
    },
  };

  test.each(Object.entries(sites))('%s', async (_, happen) => {
    for (const args of await toldOnceOrMore(happen)) expect(args).toStrictEqual([expect.any(Error), OF_RUN]);
  });
});

describe('onError is told the session alone', () => {
  const sites: Readonly<Record<string, (site: Site) => Promise<unknown>>> = {
    'of a stop of two runs that the backend refuses': async ({ control, backend }) => {
      const runs = [await begin(control), await begin(control, { whenBusy: 'concurrent' })];
      backend.failNext('stop');
      await control.abort({ sessionKey: 's' });
      for (const run of runs) run.complete();
    },
    'of a lock that no run holds, and that the backend does not take back': async ({ control, backend, clock }) => {
      const grant = await control.locks.acquire('s');
      backend.failNext('unlock');
      grant.release();
      await clock.advance(1_000);
    },
    'that cannot be read after a gap': async ({ control, backend }) => {
      const run = await begin(control);
      backend.failNext('readSession');
      backend.heal();
      await flush();
      run.complete();
    },
    'of a stored stop that the backend does not forget': async ({ control, backend, clock }) => {
      await control.abort({ sessionKey: 's' });
      backend.failNext('forget');
      await clock.advance(300_000);
    },
  };

  test.each(Object.entries(sites))('%s', async (_, happen) => {
    for (const args of await toldOnceOrMore(happen)) expect(args).toStrictEqual([expect.any(Error), OF_SESSION]);
  });
});

describe('onError is told the run alone, whose session is not known here,', () => {
  const sites: Readonly<Record<string, (site: Site) => Promise<unknown>>> = {
    'that cannot be looked for on other nodes': async ({ control, backend }) => {
      backend.failNext('readRun');
      await control.abort({ runId: 'r' });
    },
  };

  test.each(Object.entries(sites))('%s', async (_, happen) => {
    for (const args of await toldOnceOrMore(happen)) expect(args).toStrictEqual([expect.any(Error), OF_UNKNOWN]);
  });
});

test('onError is told the session and the run that beginSync refused, whose claim then fails', async () => {
  const told: Told[] = [];
  const backend = Object.assign(new FaultyBackend(), { synchronous: true });
  const { control } = tracked({ backend, onError: (...args) => told.push(args) });
  backend.failNext('claim');
  expect(() => control.runs.beginSync({ sessionKey: 's', runId: 'r' })).toThrow(/answered with a promise/);
  await flush();
  expect(told).toStrictEqual([[expect.objectContaining({ code: 'BACKEND_UNAVAILABLE' }), OF_RUN]]);
});

test('onError is told the session and the run of one that a backend that answers at once does not forget', async () => {
  const told: Told[] = [];
  const forget = (): never => {
    throw new Error('disk full');
  };
  const backend = Object.assign(memory(), { forget });
  const { control, clock } = tracked({
    backend,
    retention: { ttlMs: 60_000 },
    onError: (...args) => told.push(args),
  });
  (await begin(control, { runId: 'r' })).complete();
  await clock.advance(60_000);
  expect(told).toStrictEqual([[expect.objectContaining({ code: 'BACKEND_UNAVAILABLE' }), OF_RUN]]);
});

test('onError is told the error alone when the backend does not close: it belongs to no session', async () => {
  const told = await toldBy(async ({ control, backend }) => {
    backend.failNext('close');
    await control.drain();
  });
  expect(told).toStrictEqual([[expect.objectContaining({ code: 'BACKEND_UNAVAILABLE' })]]);
});

async function toldOnceOrMore(happen: (site: Site) => Promise<unknown>): Promise<readonly Told[]> {
  const told = await toldBy(happen);
  expect(told.length).toBeGreaterThan(0);
  return told;
}
