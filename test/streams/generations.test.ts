import type { Run, RunControl, RunOptions } from 'runfence';
import { createRunStreams } from 'runfence/streams';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { queued } from '../support/queued.js';
import { tracked } from '../support/tracked.js';
import { all, shown } from './support/deltas.js';

const OPTIONS = { sessionKey: 's', runId: 'r', onDuplicate: 'retry-lost' } as const;

async function lost(control: RunControl, run: Run): Promise<void> {
  await control.abort({ runId: run.id }, { reason: 'disconnect' });
  run.fail(new Error('unwound'));
}

describe('a run that is repeated under its id (J11)', () => {
  test('begins a new record; a resume of the old one gets restart, and all of the new one', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const first = await begin(control, OPTIONS);
    for (const event of ['a', 'b', 'c']) streams.publish(first, event);
    const old = all(streams.subscribe('r'));
    await lost(control, first);
    expect(shown(await old)).toEqual(['event 1', 'event 2', 'event 3', 'cut disconnect', 'end aborted 3']);

    const second = await begin(control, OPTIONS);
    expect(streams.publish(second, 'x')).toBe(1);
    const after = { generation: first.generation, seq: 2 };
    const resumed = all(streams.subscribe('r', { after }));
    streams.publish(second, 'y');
    second.complete();
    expect(await resumed).toMatchObject([
      { type: 'restart', generation: second.generation },
      { type: 'event', seq: 1, event: 'x' },
      { type: 'event', seq: 2, event: 'y' },
      { type: 'end', status: 'completed', generation: second.generation },
    ]);
    expect(streams.usage.runs).toBe(1);
  });

  test('keeps the old record until it starts: a subscriber of the queued one waits for its first event', async () => {
    const { control } = tracked();
    const streams = createRunStreams<string>(control);
    const first = await begin(control, OPTIONS);
    streams.publish(first, 'a');
    await lost(control, first);
    const busy = await begin(control, { runId: 'busy' });
    const retry = await queued(control, OPTIONS);
    const after = { generation: first.generation, seq: 1 };
    const resumed = all(streams.subscribe('r', { after }));
    await flush();
    expect(streams.usage).toMatchObject({ runs: 1, subscribers: 1 });
    expect(streams.usage.bytes).toBeGreaterThan(0);
    busy.complete();
    await retry.started;
    expect(streams.usage.bytes).toBe(0);
    streams.publish(retry.run, 'x');
    retry.run.complete();
    expect(shown(await resumed)).toEqual(['restart', 'event 1', 'end completed 1']);
  });

  test('if it is dropped before it starts, its subscribers get its end', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 1_000 } });
    const streams = createRunStreams<string>(control);
    const first = await begin(control, OPTIONS);
    streams.publish(first, 'a');
    await lost(control, first);
    const busy = await begin(control, { runId: 'busy' });
    await queued(control, OPTIONS);
    const resumed = all(streams.subscribe('r', { after: { generation: first.generation, seq: 1 } }));
    void control.abort({ runId: 'r' });
    expect(shown(await resumed)).toEqual(['cut user', 'end aborted 0']);
    busy.complete();
    await clock.advance(1_000);
    expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
  });

  test('again and again while it waits: each subscriber gets the end of the one that it followed', async () => {
    const { control, clock } = tracked({ retention: { ttlMs: 1_000 } });
    const streams = createRunStreams<string>(control);
    const busy = await begin(control, { runId: 'busy' });
    const ends: string[][] = [];
    for (let times = 0; times < 3; times++) {
      await queued(control, OPTIONS);
      const items = all(streams.subscribe('r'));
      void control.abort({ runId: 'r' }, { reason: 'disconnect' });
      ends.push(shown(await items));
    }
    expect(ends).toEqual(Array.from({ length: 3 }, () => ['cut disconnect', 'end aborted 0']));
    const last = await queued(control, OPTIONS);
    const items = all(streams.subscribe('r'));
    busy.complete();
    await last.started;
    streams.publish(last.run, 'x');
    last.run.complete();
    expect(shown(await items)).toEqual(['event 1', 'end completed 1']);
    await clock.advance(1_000);
    expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
  });

  test.each(['run:aborted', 'run:ended', 'run:saved'] as const)(
    'by a listener of its own %s: the old record has its end, the new one its events',
    async (when) => {
      const { control, clock } = tracked({ retention: { ttlMs: 1_000 } });
      let again = (): void => {};
      control.on(when, () => again());
      const streams = createRunStreams<string>(control);
      control.on(when, () => again());
      const retry = async (run: Run): Promise<void> => {
        streams.publish(run, 'again');
      };
      for (const isQueued of [false, true]) {
        const options: RunOptions = { ...OPTIONS, runId: `r-${isQueued}`, sessionKey: `s-${isQueued}` };
        const busy = isQueued ? await begin(control, { sessionKey: `s-${isQueued}` }) : undefined;
        const answers: Promise<unknown>[] = [];
        again = () => {
          if (answers.length < 2) answers.push(control.run({ ...options, whenBusy: 'enqueue' }, retry));
        };
        const first = isQueued ? (await queued(control, options)).run : await begin(control, options);
        streams.publish(first, 'first');
        const old = all(streams.subscribe(first.id));
        void control.abort({ runId: first.id }, { reason: 'disconnect' });
        first.fail(new Error('unwound'));
        again = () => {};
        const now = all(streams.subscribe(first.id));
        busy?.complete();
        await Promise.all(answers);
        const seen = [shown(await old), shown(await now)];
        if (!isQueued) expect(seen[0]).toEqual(['event 1', 'cut disconnect', 'end aborted 1']);
        for (const items of seen) expect(items.at(-1)).toMatch(/^end/);
      }
      await clock.advance(1_000);
      expect(streams.usage).toEqual({ runs: 0, bytes: 0, subscribers: 0 });
    },
  );
});
