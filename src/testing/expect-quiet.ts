import { type RunControl, RunfenceError } from '../index.js';

/** How `expectQuiet` looks. */
export interface ExpectQuietOptions {
  /** How long to wait for what is about to end, in ms of real time; 2 000 by default, 0 does not wait. */
  readonly timeoutMs?: number;
}

/** Something of a control is left. */
export class NotQuietError extends RunfenceError {
  declare readonly code: 'NOT_QUIET';
  /** What is left: one line each, with its ids and names. */
  readonly left: readonly string[];

  constructor(left: readonly string[]) {
    super('NOT_QUIET', `The control is not quiet. End, stop or release what is left:\n${left.map(asItem).join('\n')}`);
    this.left = left;
  }
}

const POLL_MS = 2;
// Taken while the module loads: under a test runner's fake timers the wait would never end.
const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;

/**
 * Fails unless everything of a control has ended: for the `afterEach` of your tests. Nothing may run, be queued or
 * be stopping; no gated function, attached resource or callback may be left of an ended run, no entry of
 * `control.aborts` unreleased, no lock held or waited for. Ended runs that are retained are no leak.
 *
 * It waits for what is about to end, in real time: a client often has its answer before the server's handler has
 * returned. It does not move a `FakeClock`: what waits for that clock is left, unless the test has advanced it.
 *
 * @param control - the control to look at; it is not changed
 * @param options - `timeoutMs`: how long to wait at most, in ms of real time; 2 000 by default
 * @throws `NOT_QUIET` (a `NotQuietError`), which names everything that is left; `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 * import { expectQuiet } from 'runfence/testing';
 *
 * const control = createRunControl();
 * void control.start({ sessionKey: 'chat-1', runId: 'r1' }, () => new Promise(() => {}));
 * const error = await expectQuiet(control, { timeoutMs: 0 }).catch((thrown) => thrown);
 * console.assert(error.left[0] === 'run "r1" of session "chat-1" is running; left: work');
 * ```
 */
export async function expectQuiet(control: RunControl, options: ExpectQuietOptions = {}): Promise<void> {
  const timeoutMs = checkOptions(options);
  let isLate = timeoutMs === 0;
  const deadline = realSetTimeout(() => {
    isLate = true;
  }, timeoutMs);
  try {
    for (;;) {
      const left = leftIn(control);
      if (left.length === 0) return;
      if (isLate) throw new NotQuietError(left);
      await new Promise((resolve) => realSetTimeout(resolve, POLL_MS));
    }
  } finally {
    realClearTimeout(deadline);
  }
}

const LONGEST_MS = 2_147_483_647;

function checkOptions(options: ExpectQuietOptions): number {
  const { timeoutMs = 2_000, ...unknown } = options;
  const [name] = Object.keys(unknown);
  if (name !== undefined) {
    throw new RunfenceError('INVALID_OPTIONS', `expectQuiet has no option "${name}": use timeoutMs.`);
  }
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0 && timeoutMs <= LONGEST_MS)) {
    throw new RunfenceError('INVALID_OPTIONS', `timeoutMs must be a number of ms from 0 to ${LONGEST_MS}.`);
  }
  return timeoutMs;
}

function leftIn(control: RunControl): string[] {
  const entries = control.aborts.entries.unquiet();
  const left = entries.map((entry) => {
    const run = control.runs.get(entry.id);
    const where = entry.sessionKey === undefined ? '' : ` of session "${entry.sessionKey}"`;
    const why = run?.reason === undefined ? '' : ` (${run.reason})`;
    const names = entry.report().leftovers.map((name) => ` ${name}`);
    const what = names.length === 0 ? '' : `; left:${names.join()}`;
    return `${run === undefined ? 'entry' : 'run'} "${entry.id}"${where} is ${entry.status}${why}${what}`;
  });
  for (const sessionKey of control.locks.sessionKeys) left.push(lockLeft(control, sessionKey));
  // The timers of what is named already need no naming.
  return left.length === 0 ? timersLeft(control) : left;
}

function lockLeft({ locks }: RunControl, sessionKey: string): string {
  const { held } = locks.queue(sessionKey);
  const lock = `the lock of session "${sessionKey}"`;
  if (held === undefined) return `${lock} is waited for, or on its way back`;
  return `${lock} is held with token ${held.token} by ${held.run === undefined ? 'no run' : `run "${held.run.id}"`}`;
}

/** Retention has one timer, stored stops and a lease have some: the others wait for the backend, or for a caller. */
function timersLeft({ runs }: RunControl): string[] {
  const { timers, entries } = runs.sizes;
  const more = timers - runs.idleTimers - Math.min(1, entries);
  if (more <= 0) return [];
  const these = more === 1 ? '1 timer' : `${more} timers`;
  return [`${these}: a call of the backend has no answer, or something waits with a timeout`];
}

function asItem(line: string): string {
  return `- ${line}`;
}
