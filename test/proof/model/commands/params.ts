import fc from 'fast-check';
import type { Run as RealRun } from 'runfence';
import { Disagreement } from '../compare.js';
import type { Who } from '../reference/authority.js';
import type { Run, Spec } from '../reference/run.js';
import type { Action, Sequence } from '../sequence.js';
import { SESSIONS } from '../world.js';

export const NEVER = Number.POSITIVE_INFINITY;
export const pick = fc.nat({ max: 255 });
export const session = fc.constantFrom(...SESSIONS, 's1', 's1', 's2');
export const kind = fc.constantFrom('chat', 'agent');
export const owner = fc.constantFrom<Who>('ada', 'ada', 'host', 'phone', 'bob', 'tablet');
export const requester = fc.constantFrom<Who>('host', 'host', 'admin', 'ada', 'phone', 'bob', 'tablet');
export const startWhen = fc.constantFrom<Spec['startWhen']>('fenced', 'fenced', 'quiet');
export const whenBusy = fc.constantFrom<Spec['whenBusy']>(
  'interrupt',
  'enqueue',
  'enqueue',
  'concurrent',
  'concurrent',
  'reject',
);
export const ownId: fc.Arbitrary<string> = fc.constantFrom('k1', 'k2', 'k3', 'k4');
export const error = fc.constantFrom(undefined, undefined, 'broken');

export function action<P>(name: string, weight: number, params: fc.Arbitrary<P>, act: Action<P>['act']): Action<never> {
  return { name, weight, params, act } as unknown as Action<never>;
}

/** What ends a run by its `Run` object, in both. */
export function onRun(
  name: string,
  weight: number,
  act: (sequence: Sequence, run: Run, held: RealRun) => boolean,
): Action<never> {
  return action(name, weight, fc.record({ run: pick }), (sequence, { run: which }) => {
    const run = sequence.run(which);
    const held = run === undefined ? undefined : sequence.world.runs.get(run.label);
    return run === undefined || held === undefined ? false : act(sequence, run, held);
  });
}

export function agree(what: string, expected: unknown, actual: unknown): true {
  if (expected !== actual) throw new Disagreement(what, expected, actual);
  return true;
}
