import type { Run } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';
import { announce, expectOrder, type Write, write } from '../../support/writes.js';

describe('what an aborted run saves', () => {
  test("comes before the successor's first write, under a token between theirs", async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const old = await begin(control);
    announce(old, writes);
    await write(old, writes, 'old');
    const next = await begin(control);
    await write(next, writes, 'next');
    expectOrder(writes, ['old', 'epilogue', 'next']);
    old.complete();
    next.complete();
  });

  test('gets the reason, and a signal that is not aborted', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const seen: unknown[] = [];
    run.epilogue(({ reason, signal }) => seen.push(reason, signal.aborted));
    await control.abort({ runId: run.id }, { reason: 'policy' });
    expect(seen).toEqual(['policy', false]);
    run.complete();
  });

  test('comes after a critical section in flight, and before the successor, with tokens in that order', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const old = await begin(control);
    announce(old, writes);
    const section = gate();
    const written = old.commit(async ({ token }) => {
      await section.promise;
      writes.push({ by: 'section', token });
    });
    const next = await begin(control);
    const served = write(next, writes, 'next');
    await flush();
    expect(writes).toEqual([]);
    section.open();
    await Promise.all([written, served]);
    expectOrder(writes, ['section', 'epilogue', 'next']);
    old.complete();
    next.complete();
  });

  test('is called after the signals and the events of the cut', async () => {
    const { control } = tracked();
    const order: string[] = [];
    control.on('run:aborted', () => order.push('event'));
    const run = await begin(control);
    run.signal.addEventListener('abort', () => order.push('signal'));
    run.epilogue(() => order.push('epilogue'));
    const aborted = control.abort({ runId: run.id });
    expect(order).toEqual(['signal', 'event', 'epilogue']);
    await aborted;
    run.complete();
  });

  test('is saved step by step, in the order in which it was announced', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const order: string[] = [];
    const tokens = new Set<number>();
    for (const name of ['text', 'tools']) {
      run.epilogue(async ({ token }) => {
        tokens.add(token);
        order.push(`begin ${name}`);
        await flush();
        order.push(`end ${name}`);
      });
    }
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }]);
    expect(order).toEqual(['begin text', 'end text', 'begin tools', 'end tools']);
    expect(tokens.size).toBe(1);
  });

  test.each(['complete', 'fail'] as const)('is not asked for by %s', async (end) => {
    const { control } = tracked();
    const run = await begin(control);
    run.epilogue(() => expect.unreachable());
    run[end](undefined);
    await flush();
    expect(await control.locks.holder('s')).toBeUndefined();
  });

  test('of several runs comes in the order of the cuts', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const runs: Run[] = [];
    for (const name of ['a', 'b', 'c']) {
      const run = await begin(control, { whenBusy: 'concurrent' });
      announce(run, writes, name);
      runs.push(run);
    }
    const [a, b, c] = runs as [Run, Run, Run];
    const grant = await control.locks.acquire('s');
    await control.abort({ runId: b.id });
    const next = await begin(control);
    const served = write(next, writes, 'next');
    grant.release();
    await served;
    expectOrder(writes, ['b', 'a', 'c', 'next']);
    for (const run of [a, b, c, next]) run.complete();
  });

  test('of each of two takeovers in a row comes before the first write of the last run', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const [first, second] = [await begin(control), await begin(control, { whenBusy: 'concurrent' })];
    announce(first, writes, 'first');
    await control.abort({ runId: first.id });
    announce(second, writes, 'second');
    const last = await begin(control);
    await write(last, writes, 'last');
    expectOrder(writes, ['first', 'second', 'last']);
    for (const run of [first, second, last]) run.complete();
  });

  test('comes before who waited for the lock already at the cut', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const [old, other] = [await begin(control), await begin(control, { whenBusy: 'concurrent' })];
    announce(old, writes);
    await control.locks.acquire('s', { holder: old });
    const served = write(other, writes, 'other');
    await control.abort({ runId: old.id });
    await served;
    expectOrder(writes, ['epilogue', 'other']);
    old.complete();
    other.complete();
  });

  test('is waited for by a drain', async () => {
    const { control } = tracked();
    const reasons: string[] = [];
    void control.run({ sessionKey: 's' }, (run) => {
      run.epilogue(async ({ reason }) => {
        await flush();
        reasons.push(reason);
      });
      return untilCut(run);
    });
    expect((await control.drain({ graceMs: 0 })).runs).toMatchObject([{ epilogue: 'done' }]);
    expect(reasons).toEqual(['shutdown']);
  });

  test('of a parent and its child comes once each', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const parent = await begin(control);
    announce(parent, writes, 'parent');
    void parent.child({}, (child) => {
      announce(child, writes, 'child');
      return untilCut(child);
    });
    const receipt = await control.abort({ runId: parent.id });
    parent.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }, { epilogue: 'done' }]);
    expectOrder(writes, ['parent', 'child']);
  });
});

describe("the successor's work is called in the tick of the takeover", () => {
  const cases: readonly [string, (run: Run, hang: Promise<void>) => void][] = [
    ['with an epilogue', (run) => run.epilogue(() => {})],
    ['with an epilogue that hangs', (run, hang) => run.epilogue(() => hang)],
    [
      'with an epilogue that hangs, behind a section that hangs',
      (run, hang) => {
        run.epilogue(() => hang);
        void run.commit(() => hang).catch(() => {});
      },
    ],
  ];

  test.each(cases)('%s; its first grant comes at the latest after writeGraceMs and epilogueMs', async (_, prepare) => {
    const { control, clock } = tracked();
    const old = await begin(control);
    const hang = gate();
    prepare(old, hang.promise);
    let isCalled = false;
    const next = control.run({ sessionKey: 's' }, (run) => {
      isCalled = true;
      return run.commit(({ token }) => token);
    });
    expect(isCalled).toBe(true);
    await clock.advance(5_000 + 1_000);
    expect(await next).toMatchObject({ status: 'completed' });
    expect(await control.locks.holder('s')).toBeUndefined();
    hang.open();
    old.complete();
    await flush();
  });
});
