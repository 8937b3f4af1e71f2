import fc from 'fast-check';
import type { Run as RealRun } from 'runfence';
import type { Effects } from '../reference/effects.js';
import { LOCK_TIMEOUT_MS } from '../reference/lock.js';
import type { Leftover, Run } from '../reference/run.js';
import { type Action, at, type Sequence } from '../sequence.js';
import { action, agree, error, onRun, pick, session } from './params.js';

const effect = onRun('effect', 4, ({ effects }, run, held) => {
  let isSent = false;
  const send = held.fence(() => {
    isSent = true;
  });
  send();
  return agree(`an effect of ${run.id} happens`, effects.send(run), isSent);
});

const tool = onRun('tool', 3, ({ model, effects, world }, run, held) => {
  const label = model.label('tool');
  let isCalled = false;
  const call = held.gate(
    () => {
      isCalled = true;
      return world.gate(label).promise;
    },
    { name: label },
  );
  const isExpected = run.isCurrent;
  effects.callTool(run, label);
  world.track(label, call(), (value) => value);
  return agree(`a tool of ${run.id} starts`, isExpected, isCalled);
});

const attach = onRun('attach', 1, ({ model, effects, world }, run, held) => {
  if (run.isQuiet) return false;
  const name = model.label('attached');
  effects.attach(run, name);
  held.attach({ name, stop: () => {}, gone: world.gate(name).promise });
  return true;
});

const commit = onRun('commit', 4, ({ model, effects, world }, run, held) => {
  const label = model.label('commit');
  effects.commit(run, label);
  world.track(
    label,
    held.commit(() => world.gate(label).promise),
    (value) => value,
  );
  return true;
});

const epilogue = onRun('epilogue', 3, ({ model, effects, world }, run, held) => {
  if (!run.isLive) return false;
  const name = model.label('epilogue');
  effects.announceEpilogue(run, name);
  held.epilogue(() => world.gate(name).promise, { name });
  return true;
});

/** Something of a run ends: well, or with an error. */
const LEFTOVERS: { readonly [T in Leftover['type']]: { weight: number; value: string; end: keyof Effects } } = {
  tool: { weight: 3, value: 'done', end: 'endTool' },
  commit: { weight: 4, value: 'written', end: 'endSection' },
  epilogue: { weight: 2, value: 'saved', end: 'endEpilogue' },
  attached: { weight: 1, value: 'gone', end: 'gone' },
};

export function endLeftover(
  sequence: Sequence,
  type: Leftover['type'],
  which: number,
  thrown: string | undefined,
): boolean {
  const found = sequence.leftover(type, which);
  if (found === undefined) return false;
  const { end, value } = LEFTOVERS[type];
  const act = sequence.effects[end] as (run: Run, label: string, error: string | undefined) => void;
  act.call(sequence.effects, found.run, found.label, thrown);
  sequence.world.end(found.label, value, thrown);
  return true;
}

const leftoversEnd = (Object.keys(LEFTOVERS) as Leftover['type'][]).map((type) =>
  action(
    `${type} ends`,
    LEFTOVERS[type].weight,
    fc.record({ which: pick, error }),
    (sequence, { which, error: thrown }) =>
      endLeftover(sequence, type, which, type === 'attached' ? undefined : thrown),
  ),
);

const acquire = action(
  'acquire',
  2,
  fc.record({ session, run: pick, isRun: fc.boolean(), timeoutMs: fc.constantFrom(LOCK_TIMEOUT_MS, 2_500) }),
  (sequence, { session: ofSession, run: which, isRun, timeoutMs }) => {
    const { model, effects, world, grants } = sequence;
    const run = isRun ? sequence.run(which) : undefined;
    const label = model.label('grant');
    const key = run?.session ?? ofSession;
    effects.acquire(key, run, label, timeoutMs);
    grants.set(label, { session: key, run });
    const holder = run === undefined ? {} : { holder: world.runs.get(run.label) as RealRun };
    world.track(label, world.control.locks.acquire(key, { timeoutMs, ...holder }), (grant) => {
      world.grants.set(label, grant);
      return 'granted';
    });
    return true;
  },
);

export function releaseGrant({ model, world, grants }: Sequence, label: string): boolean {
  const real = world.grants.get(label);
  const { session: ofSession, run } = grants.get(label) ?? {};
  if (real === undefined || ofSession === undefined) return false;
  const { held } = model.lock(ofSession);
  const isHeld = held?.label === label;
  agree(`${label} is held`, isHeld && run?.isCurrent !== false, real.isHeld());
  if (isHeld) model.lock(ofSession).release(held);
  real.release();
  grants.delete(label);
  return true;
}

const release = action('release', 3, fc.record({ which: pick }), (sequence, { which }) => {
  const label = at([...sequence.grants.keys()], which);
  return label !== undefined && releaseGrant(sequence, label);
});

export const EFFECTS: readonly Action<never>[] = [
  effect,
  tool,
  attach,
  commit,
  epilogue,
  ...leftoversEnd,
  acquire,
  release,
];
