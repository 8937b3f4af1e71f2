import type { BeginResult, ChildOptions, Duplicate } from 'runfence';
import type { Run, Spec } from './reference/run.js';
import type { Begun, Reference } from './reference.js';
import type { Sequence } from './sequence.js';
import { outcome, type World } from './world.js';

/** `handle` is `runs.beginSync`; the work of `run` and `start` goes on until a command ends it. */
export type Form = 'handle' | 'run' | 'start';

/** Begins a run in both. */
export function begin(sequence: Sequence, spec: Spec, form: Form): void {
  const { model, world } = sequence;
  const label = model.label('run');
  expectBegin(sequence, label, model.begin(label, spec, form === 'handle'), form);
  const options = world.optionsOf(spec);
  if (form === 'handle') {
    beginHandle(world, label, () => world.control.runs.beginSync(options));
  } else if (form === 'run') {
    world.track(label, world.control.run(options, world.work(label)), (answer) => {
      if (answer.status === 'duplicate') trackFirst(world, label, answer);
      return outcome(answer);
    });
  } else {
    world.track(label, world.control.start(options, world.work(label)), (answer) => {
      if (answer.status === 'duplicate') trackFirst(world, label, answer);
      if (!('outcome' in answer) || answer.status === 'duplicate') return outcome(answer);
      world.track(`${label} outcome`, answer.outcome, outcome);
      return answer.status;
    });
  }
}

/** As `run`, from a run: in its session, of its kind and beside it unless the spec says otherwise. */
export function beginChild(sequence: Sequence, parent: Run, spec: Spec, isDetached: boolean): void {
  const { model, world } = sequence;
  const label = model.label('run');
  const begun =
    parent.isLive && parent.status !== 'queued' ? model.begin(label, spec, false, parent, isDetached) : none(parent);
  expectBegin(sequence, label, begun, 'run');
  const { owner: _, ...options } = world.optionsOf(spec);
  const given: ChildOptions = { ...options, detached: isDetached };
  const answer = world.runs.get(parent.label)?.child(given, world.work(label));
  world.track(label, answer as NonNullable<typeof answer>, (result) => {
    if (result.status === 'duplicate') trackFirst(world, label, result);
    return outcome(result);
  });
}

/** A child of a parent that has not begun, or is over, is none. */
function none(parent: Run): Begun {
  return { answer: parent.status === 'queued' ? '! RUN_QUEUED' : 'aborted parent' };
}

function expectBegin({ model, totals }: Sequence, label: string, { answer, run, first }: Begun, form: Form): void {
  const { journal } = model;
  totals.saw(answer);
  if (first !== undefined) expectOutcome(model, first, `${label} first`);
  if (form !== 'run' || run === undefined) {
    journal.promise(label);
    // Only a handle is told its position.
    journal.settle(label, form === 'handle' ? answer : answer.replace(/^queued .*/, 'queued'));
  }
  if (run === undefined) return;
  const isStarted = answer === 'started';
  if (form === 'handle') run.isInHand = true;
  if (form === 'handle' && isStarted) return;
  run.promise = { handle: `${label} started`, run: label, start: `${label} outcome` }[form];
  journal.promise(run.promise);
  if (isStarted) model.callWork(run);
}

function expectOutcome({ journal }: Reference, run: Run, label: string): void {
  journal.promise(label);
  if (run.isLive) run.outcomes.push({ label, deadline: undefined });
  else journal.settle(label, run.outcome);
}

function beginHandle(world: World, label: string, call: () => BeginResult): void {
  const { journal } = world;
  journal.promise(label);
  try {
    const begun = call();
    if (begun.status === 'started' || begun.status === 'queued') world.hold(label, begun.run);
    if (begun.status === 'duplicate') trackFirst(world, label, begun);
    if (begun.status === 'queued') {
      world.track(`${label} started`, begun.started, (result) =>
        result.status === 'started' ? 'started' : outcome(result),
      );
      journal.settle(label, `queued ${begun.position}`);
    } else {
      journal.settle(label, begun.status === 'started' ? 'started' : outcome(begun as never));
    }
  } catch (error) {
    journal.settle(label, `! ${(error as { code?: string }).code}`);
  }
}

function trackFirst(world: World, label: string, answer: Duplicate): void {
  world.track(`${label} first`, answer.outcome, outcome);
}
