import type { Run, RunControl, SaveContext } from 'runfence';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

/** What a store was told, and under which tokens. */
function store(): { saved: string[]; save: (context: SaveContext) => void } {
  const saved: string[] = [];
  return { saved, save: ({ how, reason }) => void saved.push(reason === undefined ? how : `${how} ${reason}`) };
}

describe('a draft', () => {
  test('is saved whole by its commit, and no more when the run is aborted after that', async () => {
    const { control } = tracked();
    const { saved, save } = store();
    const held = gate();
    const answer = await control.start({ sessionKey: 's' }, async (run) => {
      const draft = run.draft(save);
      expect(draft.state).toBe('open');
      await draft.commit();
      await draft.commit();
      expect(draft.state).toBe('saved');
      await held.promise;
    });
    await flush();
    const receipt = await control.abort({ sessionKey: 's' });
    held.open();
    await receipt.whenQuiet();
    expect(saved).toEqual(['whole']);
    expect(answer.status).toBe('started');
  });

  test('is saved as it is when the run is aborted', async () => {
    const { control } = tracked();
    const { saved, save } = store();
    await control.start({ sessionKey: 's' }, async (run) => {
      run.draft(save);
      await new Promise((resolve) => run.signal.addEventListener('abort', resolve));
    });
    const receipt = await control.abort({ sessionKey: 's' });
    expect((await receipt.whenQuiet()).runs[0]?.epilogue).toBe('done');
    expect(saved).toEqual(['cut user']);
  });

  test('is saved as it is when the work throws, before anybody hears of that', async () => {
    const { control } = tracked();
    const { saved, save } = store();
    const work = control.run({ sessionKey: 's', save }, async () => {
      throw new Error('model');
    });
    await expect(work).rejects.toThrow('model');
    expect(saved).toEqual(['failed']);
  });

  test('that nobody awaits ends no process when its run is stopped, or ends', async () => {
    const { control, errors } = tracked();
    const unheard: unknown[] = [];
    const hear = (error: unknown): void => void unheard.push(error);
    process.on('unhandledRejection', hear);
    try {
      for (const end of ['stop', 'complete'] as const) {
        const held = await control.locks.acquire('s');
        const begun = await control.runs.begin({ sessionKey: 's' });
        if (begun.status !== 'started') throw new Error(begun.status);
        const draft = begun.run.draft(() => {});
        void draft.commit();
        if (end === 'stop') await control.abort('all');
        begun.run.complete();
        void draft.commit();
        held.release();
        await flush();
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      process.off('unhandledRejection', hear);
    }
    expect(unheard).toEqual([]);
    expect(errors.map((error) => (error as { code?: string }).code)).toEqual(['RUN_ENDED', 'RUN_ENDED']);
  });

  test('whose save hangs after the work has thrown keeps its caller waiting for the grace, and no longer', async () => {
    const { control, clock, errors } = tracked();
    const hanging = gate();
    let signal: AbortSignal | undefined;
    const save = (context: SaveContext): Promise<void> => {
      signal = context.signal;
      return hanging.promise;
    };
    const work = control.run({ sessionKey: 's', save, graceMs: 1_000 }, async () => {
      throw new Error('model');
    });
    const failed = expect(work).rejects.toThrow('model');
    await flush();
    await clock.advance(1_000);
    await failed;
    expect(control.runs.session('s').hasActiveRun).toBe(false);
    await clock.advance(5_000);
    expect(signal?.aborted).toBe(true);
    expect(errors).toContainEqual(expect.objectContaining({ code: 'LOCK_LOST' }));
    hanging.open();
    await flush();
  });

  test('of the options is the one that draft() gives, and is known without being asked for', async () => {
    const { control } = tracked();
    const { saved, save } = store();
    await control.run({ sessionKey: 's', save }, (run) => run.draft().commit());
    expect(saved).toEqual(['whole']);
    await control.start({ sessionKey: 's', save }, untilCut);
    await cutAndWait(control);
    expect(saved).toEqual(['whole', 'cut user']);
  });

  test('whose save throws stays open, and is saved by the next who asks', async () => {
    const { control, errors } = tracked();
    const saved: string[] = [];
    let isDown = true;
    const save = ({ how }: SaveContext): void => {
      if (isDown) throw new Error('store is down');
      saved.push(how);
    };
    await control.run({ sessionKey: 's', save }, async (run) => {
      await expect(run.draft().commit()).rejects.toThrow('store is down');
      isDown = false;
      await run.draft().commit();
    });
    expect(saved).toEqual(['whole']);
    expect(errors).toEqual([]);
  });

  test('needs something to save with', async () => {
    const { control } = tracked();
    await control.run({ sessionKey: 's' }, (run) => {
      expect(() => run.draft()).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    });
  });
});

test('what the options save is in the record from the claim on: a takeover by another node in the next tick waits for it', async () => {
  const shared = new FaultyBackend({ scope: 'cluster' });
  const here = tracked({ backend: shared });
  const there = tracked({ backend: shared }, here.clock);
  const order: string[] = [];
  const save = ({ how }: SaveContext): void => void order.push(`saved ${how}`);
  await here.control.start({ sessionKey: 's', save }, untilCut);
  const next = there.control.run({ sessionKey: 's' }, (run) => run.commit(() => void order.push('next writes')));
  await here.clock.advance(2_000);
  await next;
  expect(order).toEqual(['saved cut', 'next writes']);
});

function untilCut(run: Run): Promise<unknown> {
  return new Promise((resolve) => run.signal.addEventListener('abort', resolve));
}

async function cutAndWait(control: RunControl): Promise<void> {
  const receipt = await control.abort({ sessionKey: 's' });
  await receipt.whenQuiet();
}
