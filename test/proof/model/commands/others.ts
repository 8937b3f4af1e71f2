import fc from 'fast-check';
import { compareFor } from '../compare.js';
import { drain as drainModel } from '../reference/drain.js';
import { longestGrace } from '../reference/run.js';
import type { Receipt } from '../reference.js';
import { type Action, at } from '../sequence.js';
import { by, outcome, report } from '../world.js';
import { action, kind, NEVER, pick, requester } from './params.js';

const wait = action(
  'wait',
  2,
  fc.record({
    run: pick,
    requester,
    kind: fc.option(kind, { nil: undefined, freq: 1 }),
    timeoutMs: fc.constantFrom(NEVER, 0, 6_000),
  }),
  ({ model, world, effects }, { run: which, requester: who, kind: wanted, timeoutMs }) => {
    const id = at(model.runs, which)?.id ?? 'unknown';
    const label = model.label('wait');
    effects.wait(id, label, who, wanted, timeoutMs);
    const options = { timeoutMs, ...(wanted === undefined ? {} : { kind: wanted }), ...by(who) };
    world.track(label, world.control.wait(id, options), outcome);
    return true;
  },
);

const whenQuiet = action(
  'whenQuiet',
  2,
  fc.record({ receipt: pick, timeoutMs: fc.constantFrom(undefined, 0, 2_000) }),
  ({ model, world, effects, receipts }, { receipt: which, timeoutMs }) => {
    const label = at([...receipts.keys()], which);
    if (label === undefined) return false;
    const expected = receipts.get(label) as Receipt;
    const name = model.label('whenQuiet');
    effects.report(expected, name, timeoutMs ?? longestGrace(expected.runs));
    const real = world.receipts.get(label);
    const answer = real?.whenQuiet(timeoutMs === undefined ? {} : { timeoutMs });
    world.track(name, answer as NonNullable<typeof answer>, report);
    return true;
  },
);

const look = action('look', 2, fc.record({ requester, kind }), ({ model, world }, { requester: who, kind: wanted }) => {
  compareFor(model, world, who, wanted);
  return true;
});

const upstream = action(
  'upstream abort',
  1,
  fc.constantFrom('u1', 'u2', 'u3', 'none', 'none'),
  ({ model, world }, name) => {
    // Rare: from then on no run begins with that signal.
    if (name === 'none' || model.abortedSignals.has(name)) return false;
    model.abortSignal(name);
    world.signal(name).abort();
    return true;
  },
);

/** Some time, or exactly until the next deadline. */
const advance = action(
  'time',
  5,
  fc.constantFrom(0, 1, 500, 2_000, 5_000, 30_000, 61_000),
  async ({ model, world }, ms) => {
    const step = ms === 0 ? (model.time.untilNext ?? 0) : ms;
    model.time.advance(step);
    await world.clock.advance(step);
    return true;
  },
);

const drain = action(
  'drain',
  1,
  fc.record({ chance: fc.nat({ max: 9 }), graceMs: fc.constantFrom(0, 3_000) }),
  (sequence, given) => {
    const { model, world } = sequence;
    if (given.chance > 0 || model.phase !== 'open') return false;
    const label = model.label('drain');
    drainModel(model, label, given.graceMs);
    world.track(
      label,
      world.control.drain({ graceMs: given.graceMs }),
      ({ quiet, runs }) => `quiet ${quiet} ${runs.map(({ runId }) => runId)}`,
    );
    return true;
  },
);

export const OTHERS: readonly Action<never>[] = [wait, whenQuiet, look, upstream, advance, drain];
