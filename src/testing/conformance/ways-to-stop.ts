import { strict as assert } from 'node:assert';
import type { Run, RunControl } from '../../index.js';
import type { Bench } from './bench.js';

/** A run that holds its session's lock, and does not unwind by itself. */
export interface HoldingRun {
  readonly run: Run;
  stop(): Promise<unknown>;
  unwind(): void;
}

interface WayToStop {
  readonly reason: string;
  start(bench: Bench, control: RunControl, sessionKey: string): Promise<HoldingRun>;
}

/** Every way in which a run is stopped. */
export const STOPS: readonly WayToStop[] = [
  {
    reason: 'user',
    start: (bench, control, sessionKey) => holding(bench, control, { sessionKey }, () => control.abort({ sessionKey })),
  },
  {
    reason: 'superseded',
    start: (bench, control, sessionKey) =>
      holding(bench, control, { sessionKey }, async () => (await bench.begin(control, { sessionKey })).complete()),
  },
  {
    reason: 'timeout',
    start: (bench, control, sessionKey) => holding(bench, control, { sessionKey, timeoutMs: 400 }, async () => {}),
  },
  {
    reason: 'shutdown',
    start: async (bench, _control, sessionKey) => {
      const own = await bench.control();
      return holding(bench, own, { sessionKey }, async () => {
        void own.drain({ graceMs: 0 });
      });
    },
  },
  {
    reason: 'parent',
    start: async (bench, control, sessionKey) => {
      const parent = await bench.begin(control, { sessionKey });
      const { promise: unwound, resolve: unwind } = deferred();
      const run = await new Promise<Run>((started) => {
        void parent.child({}, async (child) => {
          await control.locks.acquire(sessionKey, { holder: child });
          started(child);
          await unwound;
        });
      });
      return { run, stop: async () => parent.complete(), unwind };
    },
  },
  {
    reason: 'disconnect',
    start: async (_bench, control, sessionKey) => {
      const { promise: unwound, resolve: unwind } = deferred();
      const runs: Run[] = [];
      async function* parts(run: Run): AsyncGenerator<string> {
        await control.locks.acquire(sessionKey, { holder: run });
        runs.push(run);
        yield 'held';
        await unwound;
      }
      const begun = await control.stream({ sessionKey }, parts);
      if (begun.status !== 'started') assert.fail(begun.status);
      const reader = begun.stream.getReader();
      await reader.read();
      return { run: runs[0] as Run, stop: () => reader.cancel(), unwind };
    },
  },
];

async function holding(
  bench: Bench,
  control: RunControl,
  options: { readonly sessionKey: string; readonly timeoutMs?: number },
  stop: () => Promise<unknown>,
): Promise<HoldingRun> {
  const run = await bench.begin(control, options);
  await control.locks.acquire(options.sessionKey, { holder: run });
  return { run, stop, unwind: () => run.complete() };
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
