import { AbortRegistry, type ErrorContext, type Run, type RunControl, type RunControlOptions } from 'runfence';
import { type FakeClock, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';
import { gate, untilCut } from '../support/work.js';

const failure = new Error('disk full');
const fails = (): never => {
  throw failure;
};
const rejects = (): Promise<never> => Promise.reject(failure);
const RUN: ErrorContext = { sessionKey: 's', runId: 'r' };
const SESSION: ErrorContext = { sessionKey: 's', runId: undefined };

/** A control that notes every argument of its `onError`. */
function telling(options: Omit<RunControlOptions, 'clock' | 'onError'> = {}) {
  const told: unknown[][] = [];
  return { ...tracked({ ...options, onError: (...args) => told.push(args) }), told };
}

interface Site {
  readonly run: Run;
  readonly control: RunControl;
  readonly clock: FakeClock;
}

async function* words() {
  try {
    yield 'one';
    yield 'two';
  } finally {
    fails();
  }
}

describe('onError is told the session and the run of', () => {
  const sites: Readonly<Record<string, (site: Site) => unknown>> = {
    'a gated call that fails after the cut': async ({ run, control }) => {
      const answer = gate();
      const call = run.gate(() => answer.promise)();
      await control.abort({ runId: 'r' });
      answer.fail(failure);
      await expect(call).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    },
    'the clean-up of a fenced iterable': async ({ run, control }) => {
      const source = run.fence(words());
      await source.next();
      await control.abort({ runId: 'r' });
    },
    'the clean-up of a fenced stream': async ({ run, control }) => {
      run.fence(new ReadableStream({ cancel: fails }));
      await control.abort({ runId: 'r' });
    },
    'a deferred callback that throws': ({ run }) => run.defer(fails),
    'a deferred callback that rejects': ({ run }) => run.defer(rejects),
    'a callback that is deferred when all is over': async ({ run }) => {
      run.complete();
      await flush();
      run.defer(rejects);
    },
    'an attached thing whose stop throws': ({ run }) => {
      const attached = run.attach({ name: 'browser', stop: fails });
      run.complete();
      attached.release();
    },
    'an attached thing whose stop rejects': async ({ run }) => {
      const attached = run.attach({ name: 'browser', stop: rejects });
      run.complete();
      await flush();
      attached.release();
    },
    'an epilogue that fails': async ({ run, control }) => {
      run.epilogue(rejects);
      await control.abort({ runId: 'r' });
    },
    'an epilogue that runs out of time (NOT_SAVED)': async ({ run, control, clock }) => {
      const hang = gate();
      run.epilogue(() => hang.promise);
      await control.abort({ runId: 'r' });
      await clock.advance(1_000);
      hang.open();
    },
    'a commit that the end of its run refuses (RUN_ENDED)': async ({ run }) => {
      const first = gate();
      void run.commit(() => first.promise);
      void run.commit(() => expect.unreachable());
      run.complete();
      first.open();
    },
    'a section that fails when its lock was taken away': async ({ run, control, clock }) => {
      const write = gate();
      const written = expect(run.commit(() => write.promise)).rejects.toMatchObject({ code: 'LOCK_LOST' });
      await control.abort({ runId: 'r' });
      await clock.advance(5_000);
      await written;
      write.fail(failure);
    },
    'a run that has ended and is not quiet (NOT_STOPPED)': async ({ run, clock }) => {
      const attached = run.attach({ name: 'browser', stop: () => new Promise(() => {}) });
      run.complete();
      await clock.advance(5_000);
      attached.release();
    },
    'a run without owner that a principal was refused (OWNER_MISSING)': ({ control }) =>
      control.abort({ sessionKey: 's' }, { requester: { userId: 'ada' } }),
  };

  test.each(Object.entries(sites))('%s', async (_, happen) => {
    const { control, clock, told } = telling();
    const run = await begin(control, { runId: 'r' });
    await happen({ run, control, clock });
    run.complete();
    await flush();
    expect(told).toStrictEqual([[expect.any(Error), RUN]]);
  });

  test('work that fails after the cut', async () => {
    const { control, told } = telling();
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, async (run) => {
      await untilCut(run);
      throw failure;
    });
    await control.abort({ sessionKey: 's' });
    await outcome;
    await flush();
    expect(told).toStrictEqual([[failure, RUN]]);
  });

  test('a source of control.stream whose clean-up fails after the cut', async () => {
    const { control, told } = telling();
    const answer = await control.stream({ sessionKey: 's', runId: 'r' }, (run) => {
      void run.signal;
      return words();
    });
    if (answer.status !== 'started') throw new Error(answer.status);
    await answer.stream.getReader().read();
    await control.abort({ sessionKey: 's' });
    await flush();
    expect(told).toStrictEqual([[failure, RUN]]);
  });

  test('the child, not its parent', async () => {
    const { control, told } = telling();
    const parent = await begin(control, { runId: 'parent' });
    await parent.child({ runId: 'r' }, (run) => run.defer(rejects));
    parent.complete();
    expect(told).toStrictEqual([[failure, RUN]]);
  });
});

describe('onError is told whose event it was that a listener', () => {
  const ways = { throws: fails, 'rejects on': rejects };

  for (const [how, listener] of Object.entries(ways)) {
    test.each(['run:started', 'run:aborted', 'run:ended', 'run:quiet', 'effect:fenced', 'lock:granted'] as const)(
      `${how}: the run of %s`,
      async (event) => {
        const { control, told } = telling();
        control.on(event, listener);
        const run = await begin(control, { runId: 'r' });
        await run.commit(() => 1);
        await control.abort({ runId: 'r' });
        run.fence(() => {})();
        run.complete();
        await flush();
        expect(told).toStrictEqual([[failure, RUN]]);
      },
    );

    test.each(['session:changed', 'queue:changed'] as const)(`${how}: the session of %s`, async (event) => {
      const { control, told } = telling();
      const run = await begin(control);
      control.on(event, listener);
      await control.runs.begin({ sessionKey: 's', runId: 'r', whenBusy: 'enqueue' });
      await control.abort({ sessionKey: 's' });
      run.complete();
      await flush();
      expect(told.length).toBeGreaterThan(0);
      for (const args of told) expect(args).toStrictEqual([failure, SESSION]);
    });
  }

  test('throws: the session of a lock that no run holds', async () => {
    const { control, told } = telling();
    control.on('lock:released', fails);
    (await control.locks.acquire('s')).release();
    expect(told).toStrictEqual([[failure, SESSION]]);
  });
});

describe('onError is told what was asked about when authorize', () => {
  const answers: Readonly<Record<string, () => unknown>> = {
    throws: fails,
    'answers 1': () => 1,
    'promises an answer, and rejects': rejects,
  };

  test.each(Object.entries(answers))('%s', async (_, authorize) => {
    const { control, told } = telling({ authorize: authorize as () => boolean });
    const run = await begin(control, { runId: 'r' });
    await control.abort({ runId: 'r' }, { requester: { userId: 'ada' } });
    run.complete();
    await flush();
    for (const args of told) expect(args).toStrictEqual([expect.any(Error), RUN]);
    expect(told.length).toBeGreaterThan(0);
  });

  test('throws at a start, whose run has no id yet', async () => {
    const { control, told } = telling({ authorize: fails });
    await control.run({ sessionKey: 's', owner: { userId: 'ada' } }, () => expect.unreachable());
    expect(told).toStrictEqual([[failure, SESSION]]);
  });

  test('throws at something registered without a session', async () => {
    const told: unknown[][] = [];
    const aborts = new AbortRegistry({ authorize: fails, onError: (...args) => told.push(args) });
    aborts.register({ id: 'r' });
    await aborts.abort({ runId: 'r' }, { requester: { userId: 'ada' } });
    expect(told).toStrictEqual([[failure, { sessionKey: undefined, runId: 'r' }]]);
  });
});
