import type { Run, RunControl } from 'runfence';
import { flush } from 'runfence/testing';
import { test } from 'vitest';
import { untilCut } from '../../support/work.js';
import { faultyNodes, Pending } from './nodes.js';
import { everySeed } from './settings.js';

const BEGINS = 1_000;
const FAULTS = { latencyMs: 30, refused: 0.1, broken: 0.1, stalled: 0.05, lost: 0.05 };
const FORMS = ['begin', 'run', 'start', 'stream'] as const;
const ALL_MS = 60_000;

/** One of a thousand takeovers: how its start was answered, and its run, once it has one. */
interface Start {
  readonly order: number;
  run: Run | undefined;
  code: unknown;
}

function begin(control: RunControl, form: (typeof FORMS)[number], start: Start): Promise<unknown> {
  const options = { sessionKey: 's' };
  const work = (run: Run): Promise<void> => {
    start.run = run;
    return untilCut(run);
  };
  switch (form) {
    case 'begin':
      return control.runs.begin(options).then((begun) => {
        if (begun.status === 'started') work(begun.run).then(() => begun.run.complete());
      });
    case 'run':
      return control.run(options, work);
    case 'start':
      return control.start(options, work).then((answer): unknown => 'outcome' in answer && answer.outcome);
    case 'stream':
      return control.stream(options, (run) => {
        void work(run);
        // It says nothing, and is fenced off at the cut.
        return new ReadableStream();
      });
  }
}

/** A thousand takeovers in one tick: one current run at most at any time, and at the end the last that was let in. */
async function storm(seed: number): Promise<readonly string[]> {
  const wrong: string[] = [];
  const { nodes, clock, watch } = faultyNodes(1, seed, FAULTS);
  const [{ control, backend }] = nodes as unknown as [(typeof nodes)[0]];
  const pending = new Pending();
  const starts: Start[] = Array.from({ length: BEGINS }, (_, order) => ({ order, run: undefined, code: undefined }));
  for (const start of starts) {
    const form = FORMS[(seed + start.order) % FORMS.length] ?? 'begin';
    const answer = begin(control, form, start).catch((error: unknown) => {
      start.code = (error as { code?: unknown }).code;
    });
    void pending.note(`${form} ${start.order}`, answer);
  }
  const current = (): Start[] => starts.filter(({ run }) => run?.isCurrent() === true);
  for (let ms = 0; ms < 10_000; ms += 250) {
    await clock.advance(250);
    if (current().length > 1) wrong.push(`${current().length} current runs after ${ms} ms`);
    if (control.runs.session('s').activeRunIds.length > 1) wrong.push('the session has two active runs');
  }
  const [winner] = current();
  const last = starts[BEGINS - 1] as Start;
  for (const { order, code } of starts) {
    if (code !== undefined && code !== 'BACKEND_UNAVAILABLE') wrong.push(`start ${order} failed with ${String(code)}`);
  }
  if (winner === undefined && last.code === undefined) wrong.push('no current run, and the last start did not fail');
  if (winner !== undefined && winner !== last) wrong.push(`start ${winner.order} won, and not the last`);

  // A stop is not held up by claims that hang, and says what it knows.
  const before = clock.monotonic();
  backend.hold('claim');
  backend.hold('stop');
  const hung = control.runs.begin({ sessionKey: 's', whenBusy: 'concurrent' });
  void pending.note('hung', hung);
  const stopped = control.abort({ sessionKey: 's' });
  if (current().length > 0) wrong.push('current after the stop has returned');
  let recorded: string | undefined;
  void stopped.then((receipt) => {
    recorded = receipt.recorded;
    if (clock.monotonic() - before > 2_000) wrong.push(`the stop took ${clock.monotonic() - before} ms`);
  });
  await clock.advance(2_000);
  if (recorded !== 'unreachable') wrong.push(`the stop was not recorded, and the receipt says ${recorded}`);
  backend.release('claim');
  backend.release('stop');
  backend.heal();
  await flush();
  await clock.advance(ALL_MS);
  for (const name of pending.names.slice(0, 3)) wrong.push(`still waits: ${name}`);
  await control.drain({ graceMs: 0 });
  await clock.advance(ALL_MS);
  if (control.runs.unquiet().length > 0) wrong.push('runs are left');
  await watch.close();
  return wrong;
}

test('takeover storms: a thousand starts in one tick have one winner', () =>
  everySeed('takeover storms of 1000 starts', 12, storm));
