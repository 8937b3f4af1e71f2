import type { RunEvents, RunView } from 'runfence';
import { memory } from 'runfence/backend';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

/** Fails the test if it is read, copied or listed: it is the host's own. */
const SEALED: object = new Proxy(
  {},
  new Proxy({} as ProxyHandler<object>, {
    get: (_, trap) => () => {
      throw new Error(`data was touched: ${String(trap)}`);
    },
  }),
);

for (const name of ['the private ledger', 'a shared backend'] as const) {
  const options = () => (name === 'the private ledger' ? {} : { backend: memory() });

  describe(`data, on ${name}`, () => {
    test('is what was given, by reference and untouched, on the run and in every view of this process (H13)', async () => {
      const { control } = tracked(options());
      const seen: (readonly [string, boolean])[] = [];
      for (const event of ['run:started', 'run:aborted', 'run:ended', 'run:quiet', 'effect:fenced'] as const) {
        control.on(event, ({ run }: RunEvents[typeof event]) => seen.push([event, run.data === SEALED]));
      }
      const run = await begin(control, { runId: 'r', data: SEALED });
      expect(run.data === SEALED).toBe(true);
      const views: (RunView | undefined)[] = [
        control.runs.get('r'),
        control.runs.list()[0],
        (await control.sessions.load('s')).runs[0],
        (await control.sessions.active())[0],
      ];
      const again = await control.runs.begin({ sessionKey: 's', runId: 'r' });
      if (again.status === 'duplicate') views.push(again.run);
      expect(views.map((view) => view?.data === SEALED)).toEqual([true, true, true, true, true]);
      const send = run.fence(() => {});
      await control.abort({ runId: 'r' });
      send();
      run.complete();
      const all = ['run:started', 'run:aborted', 'run:ended', 'effect:fenced', 'run:quiet'];
      expect(seen).toEqual(all.map((event) => [event, true]));
    });

    test('is let go of when the run is quiet, as its value is (H14)', async () => {
      const { control } = tracked(options());
      const stopped = await begin(control, { runId: 'a', data: { title: 'a' } });
      await control.abort({ runId: 'a' });
      expect(control.runs.get('a')?.data).toEqual({ title: 'a' }); // it is still stopping
      stopped.complete();
      await control.run({ sessionKey: 's', runId: 'b', data: { title: 'b' } }, (run) => run.data);
      for (const id of ['a', 'b']) expect(control.runs.get(id)).toMatchObject({ runId: id, data: undefined });
      expect(stopped.data).toBeUndefined();
      const again = await control.run({ sessionKey: 's', runId: 'b' }, () => 'again');
      expect(again).toMatchObject({ status: 'duplicate', run: { runId: 'b', data: undefined } });
    });

    test('of an ended run is not kept for its retention', async () => {
      const { control } = tracked(options());
      const kept: WeakRef<object>[] = [];
      for (const runId of ['r1', 'r2', 'r3']) {
        const data = { large: new Uint8Array(1_000) };
        kept.push(new WeakRef(data));
        await control.run({ sessionKey: 's', runId, data }, () => 'done');
      }
      await new Promise((resolve) => setImmediate(resolve));
      (globalThis as { gc?: () => void }).gc?.();
      // The last one may still be in a register of the loop.
      expect(kept.slice(0, 2).map((ref) => ref.deref() === undefined)).toEqual([true, true]);
      expect(control.runs.get('r1')?.status).toBe('completed');
    });

    test('of a queued run is in its view too', async () => {
      const { control } = tracked(options());
      const first = await begin(control);
      const second = await queued(control, { runId: 'q', data: 7 });
      expect([second.run.data, control.runs.get('q')?.data]).toEqual([7, 7]);
      first.complete();
      expect(await second.started).toMatchObject({ status: 'started', run: { data: 7 } });
      second.run.complete();
    });

    test('is not inherited by a child, which may have its own (H12)', async () => {
      const { control } = tracked(options());
      const parent = await begin(control, { data: 'parent' });
      expect(await parent.child({}, (child) => child.data)).toMatchObject({ value: undefined });
      expect(await parent.child({ data: 'child' }, (child) => child.data)).toMatchObject({ value: 'child' });
      expect(parent.data).toBe('parent');
      parent.complete();
    });

    test('of a retry is its own, and that of the first run is not changed', async () => {
      const { control } = tracked(options());
      const first = gate();
      const running = control.run({ sessionKey: 's', runId: 'r', data: 1 }, () => first.promise);
      const retry = await control.run({ sessionKey: 's', runId: 'r', data: 2 }, () => 'again');
      expect(retry).toMatchObject({ status: 'duplicate', run: { data: 1 } });
      first.open();
      await running;
    });

    test('is not in what a stranger gets', async () => {
      const { control } = tracked(options());
      const data = 'the secret of ada';
      const run = await begin(control, { runId: 'r', owner: { userId: 'ada' }, data });
      const requester = { userId: 'eve' };
      const shown = [
        control.runs.get('r', { requester }),
        control.runs.list({ requester }),
        control.runs.session('s', { requester }),
        await control.sessions.load('s', { requester }),
        await control.sessions.active({ requester }),
        await control.abort({ runId: 'r' }, { requester }),
        await control.run({ sessionKey: 's', owner: requester }, () => 1),
        await control.run({ sessionKey: 's', owner: requester, whenBusy: 'reject' }, () => 1),
        await control.wait('r', { requester }),
        await control.run({ sessionKey: 's', runId: 'r', owner: requester }, () => 1).catch((error: Error) => error),
      ];
      expect(JSON.stringify(shown.map((each) => (each instanceof Error ? each.message : each)))).not.toContain(
        'secret',
      );
      const receipt = await control.abort({ runId: 'r' });
      run.complete();
      expect(JSON.stringify([receipt, await receipt.whenQuiet()])).not.toContain('secret');
    });
  });
}

test('data is of this process: no call of the backend has it, and another node shows none (H13)', async () => {
  const backend = memory();
  const sent: string[] = [];
  const spied = new Proxy(backend, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        sent.push(JSON.stringify(args.map((each) => (typeof each === 'function' ? '' : each))) ?? '');
        return Reflect.apply(value, target, args);
      };
    },
  });
  const here = tracked({ backend: spied });
  const there = tracked({ backend }, here.clock);
  const run = await begin(here.control, { runId: 'r', data: 'only here' });
  expect((await there.control.sessions.load('s')).runs).toMatchObject([{ runId: 'r', data: undefined }]);
  expect((await here.control.sessions.load('s')).runs).toMatchObject([{ runId: 'r', data: 'only here' }]);
  await here.control.abort({ runId: 'r' });
  run.complete();
  expect(sent.length).toBeGreaterThan(3);
  expect(sent.filter((text) => text.includes('only here'))).toEqual([]);
});
