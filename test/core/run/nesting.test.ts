import type { Run, RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

const kinds = [
  ['a private ledger', () => ({})],
  ['memory()', () => ({ backend: memory() })],
  ['a backend that answers late', () => ({ backend: new FaultyBackend() })],
] as const;

function codes(errors: readonly unknown[]): unknown[] {
  return errors.map((error) => (error as { code?: unknown }).code);
}

const nothing = (): void => {};

describe.each(kinds)('control.run inside a run of the same session, on %s', (_, options) => {
  test('that stops its own caller is told once (H10)', async () => {
    const { control, errors } = tracked(options());
    for (const runId of ['outer', 'again']) {
      const outer = await control.run({ sessionKey: 's', runId }, () => control.run({ sessionKey: 's' }, nothing));
      expect(outer).toMatchObject({ status: 'aborted', reason: 'superseded' });
    }
    await flush();
    expect(codes(errors)).toEqual(['NESTED_RUN']);
    expect((errors[0] as Error).message).toMatch(
      /inside run "outer" of the same session, and stops it: use run\.child/,
    );
  });

  test('is seen in a gated tool, too', async () => {
    const { control, errors } = tracked(options());
    await control.run({ sessionKey: 's' }, async (run) => {
      await flush();
      await run.gate(() => control.run({ sessionKey: 's' }, nothing))();
    });
    await flush();
    expect(codes(errors)).toEqual(['NESTED_RUN']);
  });

  test('is seen by the signal of its caller, after any await', async () => {
    const { control, errors } = tracked(options());
    await control.run({ sessionKey: 's' }, async (run) => {
      await flush();
      await control.run({ sessionKey: 's', signal: run.signal }, nothing);
    });
    await flush();
    expect(codes(errors)).toEqual(['NESTED_RUN']);
  });

  test('that waits for its own caller is told, and waits no longer than for a lock (H11)', async () => {
    const { control, clock, errors } = tracked(options());
    const outer = control.run({ sessionKey: 's' }, () =>
      control.run({ sessionKey: 's', whenBusy: 'enqueue' }, nothing),
    );
    await flush();
    expect(codes(errors)).toEqual(['NESTED_RUN']);
    await clock.advance(30_000);
    expect(await outer).toMatchObject({ status: 'completed', value: { status: 'aborted', reason: 'timeout' } });
    await flush();
  });

  test('that waits for itself over another session has a bound, too', async () => {
    const { control, clock, errors } = tracked(options());
    const outer = control.run({ sessionKey: 'a' }, () =>
      control.run({ sessionKey: 'b' }, () => control.run({ sessionKey: 'a', whenBusy: 'enqueue' }, nothing)),
    );
    await flush();
    expect(codes(errors)).toEqual(['NESTED_RUN']);
    await clock.advance(30_000);
    expect(await outer).toMatchObject({ value: { value: { status: 'aborted', reason: 'timeout' } } });
    await flush();
  });

  test.each(['a run', 'a child'])(
    'and over %s of another session, seen by its signal after any await',
    async (what) => {
      const { control, clock, errors } = tracked(options());
      const back = async (run: Run): Promise<unknown> => {
        await flush();
        return control.run({ sessionKey: 'a', whenBusy: 'enqueue', signal: run.signal }, nothing);
      };
      const outer = control.run({ sessionKey: 'a' }, async (run) => {
        await flush();
        return what === 'a run'
          ? control.run({ sessionKey: 'b', signal: run.signal }, back)
          : run.child({ sessionKey: 'b' }, back);
      });
      for (let turn = 0; turn < 6; turn += 1) await flush();
      expect(codes(errors)).toEqual(['NESTED_RUN']);
      await clock.advance(30_000);
      expect(await outer).toMatchObject({ value: { value: { status: 'aborted', reason: 'timeout' } } });
      await flush();
    },
  );

  test('the body of a streaming generator is seen', async () => {
    const { control, clock, errors } = tracked(options());
    const answer = await control.stream({ sessionKey: 's' }, async function* () {
      const inner = await control.run({ sessionKey: 's', whenBusy: 'enqueue' }, nothing);
      yield inner.status;
    });
    if (!('stream' in answer)) throw new Error(answer.status);
    const read = answer.stream.getReader().read();
    await flush();
    expect(codes(errors)).toEqual(['NESTED_RUN']);
    await clock.advance(30_000);
    expect(await read).toEqual({ done: false, value: 'aborted' });
    await control.abort('all');
    await flush();
  });

  test.each([5, Number.POSITIVE_INFINITY])('a queueTimeoutMs of its own stands: %s', async (queueTimeoutMs) => {
    const { control, clock } = tracked(options());
    let inner: Promise<unknown> = Promise.resolve();
    const done = gate();
    const outer = control.run({ sessionKey: 's' }, () => {
      inner = control.run({ sessionKey: 's', whenBusy: 'enqueue', queueTimeoutMs }, nothing);
      return done.promise;
    });
    await flush();
    await clock.advance(60_000);
    done.open();
    await outer;
    expect(await inner).toMatchObject({ status: queueTimeoutMs === 5 ? 'aborted' : 'completed' });
    await flush();
  });

  test.each<[string, (control: RunControl, run: Run) => Promise<unknown>]>([
    ['a child', (_control, run) => run.child({}, nothing)],
    ['a concurrent run', (control) => control.run({ sessionKey: 's', whenBusy: 'concurrent' }, nothing)],
    ['a refused run', (control) => control.run({ sessionKey: 's', whenBusy: 'reject' }, nothing)],
    ['a run of another session', (control) => control.run({ sessionKey: 'other' }, nothing)],
  ])('%s is no reason for a hint', async (_what, ask) => {
    const { control, errors } = tracked(options());
    expect(await control.run({ sessionKey: 's' }, (run) => ask(control, run))).toMatchObject({ status: 'completed' });
    await flush();
    expect(errors).toEqual([]);
  });

  test('the next message is no reason for a hint, whoever asks for it', async () => {
    const { control, errors } = tracked(options());
    const first = control.run({ sessionKey: 's' }, untilCut);
    await flush();
    const second = control.run({ sessionKey: 's' }, untilCut);
    await flush();
    const third = control.run({ sessionKey: 's', whenBusy: 'enqueue', queueTimeoutMs: 1_000_000 }, nothing);
    await flush();
    await control.abort({ sessionKey: 's' });
    await Promise.all([first, second, third]);
    await flush();
    expect(errors).toEqual([]);
  });
});

test('a child of a run that asks for a run of their session is told of its parent', async () => {
  const { control, errors } = tracked();
  await control.run({ sessionKey: 's', runId: 'parent' }, (run) =>
    run.child({ sessionKey: 'other' }, () => control.run({ sessionKey: 's' }, nothing)),
  );
  await flush();
  expect((errors[0] as Error).message).toContain('inside run "parent"');
});

test.each(['interrupt', 'enqueue'] as const)(
  'a listener of the hint may stop the run that it is about: %s',
  async (whenBusy) => {
    const { control } = tracked({ onError: () => void control.abort({ runId: 'inner' }) });
    const inner = { sessionKey: 's', runId: 'inner', whenBusy };
    const outer = await control.run({ sessionKey: 's' }, () => control.run(inner, () => expect.unreachable()));
    expect(outer).toMatchObject({ status: 'completed', value: { status: 'aborted', reason: 'user' } });
  },
);
