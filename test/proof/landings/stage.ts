import { type Backend, createRunControl, isRunfenceError, type Run, type RunControl, type RunEvents } from 'runfence';
import { memory } from 'runfence/backend';
import { FakeClock, flush } from 'runfence/testing';
import { Invariants } from '../invariants.js';
import { Points, type Target } from './points.js';
import { answeringLater, pointedBackend, pointedClock } from './proxies.js';

export const KEY = 's';
export const OWNER = { userId: 'ada' };
export const STRANGER = { userId: 'eve' };
/** What every run of the scenario may take. The first deadline of all, so that a clock that jumps there fires it alone. */
export const TIMEOUT_MS = 40;
/** How long a scenario may take by its clock, stopped or not: above every bound of the control together. */
const END_MS = 60_000;
const RETENTION_MS = 400_000;
const STEP_MS = 500;

const EVENTS: readonly (keyof RunEvents)[] = [
  'run:started',
  'run:aborted',
  'run:ended',
  'run:quiet',
  'session:changed',
  'queue:changed',
  'effect:fenced',
  'lock:granted',
  'lock:released',
  'lock:lost',
];

/** What happens on a stage. */
export interface Scenario {
  /** Of a session. */
  readonly life: (stage: Stage) => Promise<void>;
  /** Of the control, when the session is over and forgotten. */
  readonly shutdown: (stage: Stage) => Promise<void>;
}

/** What the control stands on: its own ledger, a backend that answers at once, or one that answers later. */
export type BackendKind = 'private' | 'memory' | 'asynchronous';

/** One control with everything around it proxied and watched, and what its scenario did. */
export class Stage {
  readonly points: Points;
  readonly clock: FakeClock = new FakeClock();
  readonly watch: Invariants;
  readonly control: RunControl;
  readonly kind: BackendKind;
  /** Given to the run that is stopped; `upstream` aborts it. */
  readonly upstream: AbortController = new AbortController();
  /** What the scenario still waits for, by name. */
  readonly open = new Map<string, number>();
  readonly #errors: unknown[] = [];
  #mayBeLate = false;
  /** Another control on the same records; `undefined` where there can be none. */
  readonly other: RunControl | undefined;

  /** @param moved - how far a stop moves the clock, in ms, while a call is under way that takes no time otherwise */
  constructor(kind: BackendKind, target: Target | undefined, moved = 0) {
    this.kind = kind;
    this.points = new Points(target);
    const { points } = this;
    this.watch = new Invariants(this.clock, { backendMs: moved });
    this.watch.signal(this.upstream.signal);
    const state = kind === 'private' ? memory() : this.watch.record(memory());
    this.control = createRunControl({
      ...this.#backend(kind, state),
      clock: pointedClock(points, this.clock),
      authorize: points.around('authorize', ({ principal }) => principal.userId === OWNER.userId),
      onError: points.around('onError', (error: unknown) => void this.#errors.push(error)),
    });
    this.watch.node(this.control);
    if (kind !== 'private') {
      const onError = (error: unknown): void => void this.#errors.push(error);
      this.other = createRunControl({ backend: state, clock: this.clock, onError });
      this.watch.node(this.other);
    }
    for (const name of EVENTS)
      this.control.on(
        name,
        points.around(`listener of ${name}`, () => {}),
      );
    this.control.on('run:quiet', () => {
      throw new ListenerError();
    });
  }

  #backend(kind: BackendKind, state: Backend): { readonly backend?: Backend } {
    if (kind === 'private') return {};
    const backend = kind === 'memory' ? state : answeringLater(this.points, state);
    return { backend: pointedBackend(this.points, backend) };
  }

  /** What is asked of every run from its start on: witnesses of its cut, and what it must not get through any more. */
  enlist(run: Run): void {
    const { watch, points } = this;
    watch.run(run);
    run.signal.addEventListener(
      'abort',
      points.around(`signal listener of ${run.kind}`, () => {}),
      { once: true },
    );
    const effect =
      (name: string): (() => void) =>
      () =>
        watch.effect(run, name);
    const send = run.fence(effect('a late effect'));
    const tool = run.gate(effect('a late tool'), { name: 'late' });
    watch.attempt(() => {
      send();
      tool().catch(ignore);
      run.commit(({ token }) => watch.during('section', run, token, ignore)).catch(ignore);
    });
  }

  /** Time of the clock, in ms, that nobody but the scenario waits for. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimeout(resolve, ms));
  }

  /** A promise that must settle, whatever is stopped. */
  async settles<T>(name: string, promise: PromiseLike<T>): Promise<T> {
    this.open.set(name, (this.open.get(name) ?? 0) + 1);
    try {
      return await promise;
    } finally {
      const count = (this.open.get(name) ?? 1) - 1;
      if (count === 0) this.open.delete(name);
      else this.open.set(name, count);
    }
  }

  /** Drives the scenario to its end, and everything after it, and says what is wrong. */
  async play(scenario: Scenario): Promise<string[]> {
    const { watch, clock, points } = this;
    const wrong: string[] = [];
    await this.#drive(scenario.life, wrong);
    wrong.push(...say([...watch.check(), ...watch.checkSettled()]));
    // Twice: a stop may land where the first retention ends, and is itself kept for a while.
    await clock.advance(RETENTION_MS);
    await clock.advance(RETENTION_MS);
    wrong.push(...say(watch.checkNothingLeft()));
    await this.other?.drain({ graceMs: 0 });
    await this.#drive(scenario.shutdown, wrong);
    await clock.advance(RETENTION_MS);
    wrong.push(...say([...watch.check(), ...watch.checkNothingLeft()]), ...points.problems);
    for (const error of this.#errors) if (!this.#isExpected(error)) wrong.push(`onError: ${error}`);
    await watch.close();
    return [...new Set(wrong)];
  }

  /** From here on a run may write while the announcement of an epilogue is on its way: then that one is told to be late. */
  expectLate(): void {
    this.#mayBeLate = true;
  }

  /**
   * A listener throws on purpose; a commit that is tried after a normal end is told to `onError`, and so is a takeover that
   * lands inside the work of the run that it stops.
   */
  #isExpected(error: unknown): boolean {
    if (this.#mayBeLate && isRunfenceError(error, 'NOT_SAVED')) return true;
    if (isRunfenceError(error, 'NESTED_RUN')) return true;
    return error instanceof ListenerError || isRunfenceError(error, 'RUN_ENDED');
  }

  async #drive(act: (stage: Stage) => Promise<void>, wrong: string[]): Promise<void> {
    const { clock } = this;
    const state = { isOver: false };
    act(this)
      .catch((error: unknown) => wrong.push(`the scenario threw ${error instanceof Error ? error.stack : error}`))
      .finally(() => {
        state.isOver = true;
      });
    const isDone = (): boolean => state.isOver && this.open.size === 0;
    await flush();
    for (let waited = 0; !isDone() && waited < END_MS; waited += STEP_MS) await clock.advance(STEP_MS);
    if (!state.isOver) wrong.push('the scenario hangs');
    for (const name of this.open.keys()) wrong.push(`hangs: ${name}`);
    await clock.advance(END_MS);
  }
}

class ListenerError extends Error {}

function say(violations: readonly { readonly invariant: number; readonly text: string }[]): string[] {
  return violations.map(({ invariant, text }) => `invariant ${invariant}: ${text}`);
}

export function ignore(): void {}
