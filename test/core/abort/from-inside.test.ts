import type { Receipt } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

const named = { runId: 'r' };

describe('an abort from inside', () => {
  const events = ['run:started', 'run:aborted', 'run:ended', 'session:changed'] as const;
  const expected = {
    'run:started': 'aborted',
    'run:aborted': 'already-stopping',
    'run:ended': 'already-stopping',
    'session:changed': 'aborted',
  } as const;

  for (const event of events) {
    test(`the listener of ${event} has one result`, async () => {
      const { control } = tracked();
      const receipts: Promise<Receipt>[] = [];
      const stop = control.on(event, () => {
        stop();
        receipts.push(control.abort(named));
      });
      const outcome = control.run({ sessionKey: 's', ...named }, untilCut);
      await control.abort(named);
      expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
      expect(await Promise.all(receipts)).toMatchObject([{ result: expected[event], runIds: ['r'] }]);
    });
  }

  test('the listener of run:quiet finds the run ended', async () => {
    const { control } = tracked();
    const receipts: Promise<Receipt>[] = [];
    control.on('run:quiet', () => receipts.push(control.abort(named)));
    const outcome = control.run({ sessionKey: 's', ...named }, untilCut);
    await (await control.abort(named)).whenQuiet();
    await outcome;
    expect(await Promise.all(receipts)).toMatchObject([{ result: 'already-ended', runIds: ['r'] }]);
  });

  test('the listener of queue:changed stops the run that was queued', async () => {
    const { control } = tracked();
    const first = control.run({ sessionKey: 's', runId: 'first' }, untilCut);
    const receipts: Promise<Receipt>[] = [];
    const stop = control.on('queue:changed', () => {
      stop();
      receipts.push(control.abort(named));
    });
    const queued = await control.start({ sessionKey: 's', ...named, whenBusy: 'enqueue' }, untilCut);
    expect(queued).toEqual({ status: 'aborted', runId: 'r', reason: 'user' });
    expect(await Promise.all(receipts)).toMatchObject([{ result: 'aborted', queuedRunIds: ['r'] }]);
    await control.abort('all');
    await first;
  });

  test('the listener of effect:fenced finds the run stopped', async () => {
    const { control } = tracked();
    const receipts: Promise<Receipt>[] = [];
    control.on('effect:fenced', () => receipts.push(control.abort(named)));
    const outcome = control.run({ sessionKey: 's', ...named }, async (run) => {
      const send = run.fence(() => {});
      await untilCut(run);
      send();
    });
    await (await control.abort(named)).whenQuiet();
    await outcome;
    expect(await Promise.all(receipts)).toMatchObject([{ result: 'already-stopping' }]);
  });

  for (const event of ['lock:granted', 'lock:released'] as const) {
    test(`the listener of ${event} stops the run that holds the lock`, async () => {
      const { control } = tracked();
      const receipts: Promise<Receipt>[] = [];
      control.on(event, () => receipts.push(control.abort(named)));
      const outcome = control.run({ sessionKey: 's', ...named }, async (run) => {
        await run.commit(() => {}).catch(() => {});
        await untilCut(run);
      });
      expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
      expect((await Promise.all(receipts))[0]).toMatchObject({ result: 'aborted' });
    });
  }

  test('the listener of the signal finds the run stopping (A22)', async () => {
    const { control } = tracked();
    const receipts: Promise<Receipt>[] = [];
    const outcome = control.run({ sessionKey: 's', ...named }, (run) => {
      run.signal.addEventListener('abort', () => receipts.push(control.abort(named)));
      return untilCut(run);
    });
    expect(await control.abort(named)).toMatchObject({ result: 'aborted' });
    expect(await Promise.all(receipts)).toMatchObject([{ result: 'already-stopping', runIds: ['r'] }]);
    expect(await outcome).toMatchObject({ reason: 'user' });
  });

  test('the run’s own work may wait for the receipt', async () => {
    const { control } = tracked();
    const seen: unknown[] = [];
    const outcome = await control.run({ sessionKey: 's', ...named }, async (run) => {
      const receipt = await control.abort(named);
      seen.push(receipt.result, run.isCurrent());
    });
    expect(outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    await flush();
    expect(seen).toEqual(['aborted', false]);
  });

  test('the run’s own work that waits for its own quiet gets it at the end of the grace', async () => {
    const { control, clock } = tracked();
    let quiet: boolean | undefined;
    const outcome = control.run({ sessionKey: 's', ...named, graceMs: 700 }, async () => {
      const receipt = await control.abort(named);
      quiet = (await receipt.whenQuiet()).quiet;
    });
    expect(await outcome).toMatchObject({ status: 'aborted' });
    await clock.advance(699);
    expect(quiet).toBeUndefined();
    await clock.advance(1);
    expect(quiet).toBe(false);
  });

  test('a tool’s synchronous part rejects the call as started (H8, I5)', async () => {
    const { control } = tracked();
    const stuck = gate();
    const calls: unknown[] = [];
    await control.run({ sessionKey: 's', ...named }, async (run) => {
      const tool = run.gate(() => {
        void control.abort(named);
        return stuck.promise;
      });
      const release = run.gate(() => {});
      await tool().catch((error: unknown) => calls.push(error));
      await release().catch((error: unknown) => calls.push(error));
    });
    await flush();
    expect(calls).toMatchObject([
      { code: 'RUN_ABORTED', started: true },
      { code: 'RUN_ABORTED', started: false },
    ]);
    expect(control.runs.get('r')).toMatchObject({ status: 'stopping' });
    stuck.open();
    await flush();
    expect(control.runs.get('r')).toMatchObject({ status: 'aborted' });
  });
});
