import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';

const HOUR = 3_600_000;

describe('a question about a kind', () => {
  test('is answered for that kind alone: a run of another kind is not active for it (A6, F4)', async () => {
    const { control } = tracked();
    const run = await begin(control, { runId: 'r', kind: 'agent' });
    const active = (): boolean[] => [
      control.runs.isActive('s'),
      control.runs.isActive('s', { kind: 'agent' }),
      control.runs.isActive('s', { kind: 'chat' }),
    ];
    expect(active()).toEqual([true, true, false]);
    expect(await control.wait('r', { kind: 'chat', timeoutMs: 0 })).toEqual({ status: 'unknown' });
    expect(await control.wait('r', { kind: 'agent', timeoutMs: 0 })).toEqual({ status: 'timeout' });
    await control.abort({ sessionKey: 's' });
    expect(active()).toEqual([false, false, false]);
    run.complete();
  });
});

describe('without a kind', () => {
  test('a run and an entry are of kind chat (A7)', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const entry = control.aborts.register({ id: 'upload' });
    if (!entry.registered) throw new Error('taken');
    const other = control.aborts.register({ id: 'cron', kind: 'cron' });
    if (!other.registered) throw new Error('taken');
    expect(run.kind).toBe('chat');
    const receipt = await control.abort({ kind: 'chat' });
    expect(receipt.runIds.toSorted()).toEqual([run.id, 'upload'].toSorted());
    expect(other.signal.aborted).toBe(false);
    run.complete();
    entry.release();
    other.release();
  });

  test('a run is of the kind that its control says', async () => {
    const { control } = tracked({ defaults: { kind: 'cron' } });
    const [plain, other] = [await begin(control), await begin(control, { kind: 'agent', whenBusy: 'concurrent' })];
    expect([plain.kind, other.kind]).toEqual(['cron', 'agent']);
    plain.complete();
    other.complete();
  });
});

test.each(['chat', 'agent', 'http', 'cron', 'of the host'])(
  'a run of kind %s gets the time that it asked for, no less and no more (A11)',
  async (kind) => {
    const { control, clock } = tracked();
    const run = await begin(control, { kind, timeoutMs: 48 * HOUR });
    await clock.advance(48 * HOUR - 1);
    expect(run.isCurrent()).toBe(true);
    await clock.advance(1);
    expect(run.reason).toBe('timeout');
    run.complete();
    const short = await begin(control, { kind, timeoutMs: 1 });
    await clock.advance(1);
    expect(short.reason).toBe('timeout');
    short.complete();
  },
);
