import { createRunControl, type Run, type RunReport } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

/** Stops a run in the midst of its work, lets the work end, and reports. */
async function stopped(work: (run: Run, held: Promise<void>) => unknown): Promise<RunReport> {
  const { control } = tracked();
  const held = gate();
  const outcome = control.run({ sessionKey: 's', runId: 'r' }, (run) => work(run, held.promise));
  await flush();
  const receipt = await control.abort({ runId: 'r' });
  held.open();
  await outcome;
  const { runs } = await receipt.whenQuiet();
  return runs[0] as RunReport;
}

describe('unknown', () => {
  test('names a gated call that ended after the cut, although the run is quiet (A91)', async () => {
    const report = await stopped((run, held) => run.gate(() => held, { name: 'pay' })());
    expect(report).toMatchObject({ state: 'quiet', leftovers: [], unknown: ['pay'] });
  });

  test('names each call that had started, and none that had ended or was refused (A91)', async () => {
    const report = await stopped(async (run, held) => {
      await run.gate(() => {}, { name: 'before' })();
      const calls = ['mail', 'pay', 'pay'].map((name) => run.gate(() => held, { name })());
      await Promise.allSettled(calls);
      await run
        .gate(() => {}, { name: 'after' })()
        .catch(() => {});
    });
    expect([...report.unknown].sort()).toEqual(['mail', 'pay', 'pay']);
  });

  test('names a gated call whose function stopped its own run in its synchronous part (A91)', async () => {
    const { control } = tracked();
    let report: RunReport | undefined;
    await control.run({ sessionKey: 's', runId: 'r' }, async (run) => {
      const pay = run.gate(async () => {
        const receipt = await control.abort({ runId: 'r' });
        report = (await receipt.whenQuiet({ timeoutMs: 0 })).runs[0];
      });
      await pay().catch(() => {});
    });
    await flush();
    expect(report?.unknown).toEqual(['tool']);
  });

  test('names a gated generator that was under way, and not one that had begun nothing (A91)', async () => {
    const report = await stopped(async (run, held) => {
      const named = (name: string) =>
        run.gateStream(
          async function* () {
            yield 1;
            await held;
          },
          { name },
        )();
      const whole = named('whole');
      await whole.next();
      await whole.return?.();
      const open = named('open');
      await open.next();
      named('never pulled');
      await open.next().catch(() => {});
    });
    expect(report).toMatchObject({ unknown: ['open'] });
  });

  test('is empty for a fenced source, a write and an attached thing: they are no calls of tools', async () => {
    const report = await stopped(async (run, held) => {
      run.attach({ name: 'browser', stop: () => {} });
      await run.commit(() => held).catch(() => {});
    });
    expect(report).toMatchObject({ state: 'quiet', unknown: [] });
  });

  test('is in what another node reports (A91)', async () => {
    const backend = new FaultyBackend({ over: memory() });
    const here = createRunControl({ backend });
    const there = createRunControl({ backend });
    const held = gate();
    const outcome = here.run({ sessionKey: 's', runId: 'r' }, (run) => run.gate(() => held.promise, { name: 'pay' })());
    await flush();
    const receipt = await there.abort({ sessionKey: 's' });
    held.open();
    await outcome;
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'quiet', leftovers: [], unknown: ['pay'] }]);
    await Promise.all([here.drain(), there.drain()]);
  });
});
