import { getEventListeners } from 'node:events';
import {
  createRunControl,
  isRunfenceError,
  type RunControl,
  type RunControlOptions,
  SessionLock,
  type SessionLockOptions,
} from 'runfence';
import { FakeClock, flush } from 'runfence/testing';

interface Tracked {
  readonly control: RunControl;
  readonly clock: FakeClock;
  readonly errors: unknown[];
  /** The alarms that nothing had read a signal, kept apart: most work of the tests reads none. */
  readonly unread: unknown[];
}

const controls: Tracked[] = [];
const locks: SessionLock[] = [];
const signals: AbortSignal[] = [];
const platformTimers = new Map<unknown, string>();

const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;

// Timers of the real clock that the sources make and do not take back.
globalThis.setTimeout = Object.assign(
  ((callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    const handle = realSetTimeout(() => {
      platformTimers.delete(handle);
      callback(...args);
    }, ms);
    const { stack = '' } = new Error('timer');
    if (/src.core/.test(stack)) platformTimers.set(handle, stack);
    return handle;
  }) as typeof setTimeout,
  realSetTimeout,
);
globalThis.clearTimeout = ((handle: Parameters<typeof clearTimeout>[0]) => {
  platformTimers.delete(handle);
  realClearTimeout(handle);
}) as typeof clearTimeout;

/**
 * A control on a fake clock; the end of the test checks that nothing of it is left. A second one on
 * the clock and the backend of the first stands for another node.
 */
export function tracked(options: Omit<RunControlOptions, 'clock'> = {}, clock: FakeClock = new FakeClock()): Tracked {
  const errors: unknown[] = [];
  const unread: unknown[] = [];
  const onError = (error: unknown): void => {
    (isRunfenceError(error, 'SIGNAL_UNREAD') ? unread : errors).push(error);
  };
  const control = createRunControl({ onError, ...options, clock });
  const entry = { control, clock, errors, unread };
  controls.push(entry);
  return entry;
}

export function trackedLock(options: SessionLockOptions = {}): SessionLock {
  const lock = new SessionLock(options);
  locks.push(lock);
  return lock;
}

/** A signal of the caller's; the end of the test checks that no listener of ours is left on it. */
export function upstream(): AbortController {
  const controller = new AbortController();
  signals.push(controller.signal);
  return controller;
}

export function listenersOn(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

/** What the test has left behind, by name. */
export async function checkLeaks(): Promise<string[]> {
  const left: string[] = [];
  // A test may end with the end of a run that its backend is still to answer.
  await flush();
  const clocks = new Set<FakeClock>();
  for (const { control, clock } of controls.splice(0)) {
    for (const run of control.runs.unquiet()) left.push(`run ${run.id} is ${run.status}`);
    if (left.length > 0) continue;
    await control.drain({ graceMs: 0 });
    for (const [name, size] of Object.entries(control.runs.sizes)) {
      if (size > 0) left.push(`${size} ${name}`);
    }
    clocks.add(clock);
  }
  // Once all nodes are drained: they may share a clock.
  for (const clock of clocks) if (clock.pending > 0) left.push(`${clock.pending} timers of the clock`);
  for (const lock of locks.splice(0)) if (lock.size > 0) left.push(`${lock.size} locks`);
  for (const signal of signals.splice(0)) {
    const listeners = signal.aborted ? 0 : listenersOn(signal);
    if (listeners > 0) left.push(`${listeners} listeners on a signal`);
  }
  for (const stack of platformTimers.values()) left.push(`a timer: ${stack}`);
  for (const timer of platformTimers.keys()) clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
  return left;
}
