import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { queued } from '../support/queued.js';
import { tracked } from '../support/tracked.js';

describe('the defaults of a control', () => {
  test('hold for a run that says nothing (A13)', async () => {
    const { control, clock } = tracked({ defaults: { timeoutMs: 1_000, graceMs: 50, queueTimeoutMs: 200 } });
    const run = await begin(control);
    const next = await queued(control);
    await clock.advance(200);
    expect(await next.started).toMatchObject({ status: 'aborted', reason: 'timeout' });
    await clock.advance(799);
    expect(run.isCurrent()).toBe(true);
    await clock.advance(1);
    expect(run.reason).toBe('timeout');
    await clock.advance(50);
    expect(control.runs.abandoned()).toMatchObject([{ runId: run.id }]);
    run.complete();
  });

  test('give way to what a run says, longer, shorter or none', async () => {
    const { control, clock } = tracked({ defaults: { timeoutMs: 1_000, queueTimeoutMs: 200, whenBusy: 'reject' } });
    const [long, short, endless] = await Promise.all(
      [5_000, 100, Number.POSITIVE_INFINITY].map((timeoutMs) => begin(control, { timeoutMs, whenBusy: 'concurrent' })),
    );
    const next = await queued(control, { queueTimeoutMs: 4_000 });
    await clock.advance(100);
    expect([long?.reason, short?.reason]).toEqual([undefined, 'timeout']);
    await clock.advance(3_899);
    expect([long?.reason, next.run.status]).toEqual([undefined, 'queued']);
    await clock.advance(1_001);
    expect([long?.reason, next.run.reason]).toEqual(['timeout', 'timeout']);
    await clock.advance(1_000_000);
    expect(endless?.isCurrent()).toBe(true);
    for (const run of [long, short, endless]) run?.complete();
  });
});
