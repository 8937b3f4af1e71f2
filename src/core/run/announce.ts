import type { StoredRun } from '../backend/records.js';
import type { NodeContext } from '../node-context.js';
import type { ManagedRun } from './managed-run.js';
import { viewOf, viewOfStored } from './view.js';

// Every event of runs leaves from here. The caller has brought all projections up to date: a listener may read, stop or
// begin whatever it likes. A payload is only made for an event that somebody hears.

export function announceStarted(run: ManagedRun): void {
  const { events } = run.host.runtime;
  if (!run.isLive) return;
  if (events.has('run:started')) events.emit('run:started', { run: viewOf(run) });
  sessionChanged(run);
}

export function announceAborted(run: ManagedRun): void {
  const { events } = run.host.runtime;
  const { stop } = run;
  if (!run.isAnnounced || stop === undefined || !events.has('run:aborted')) return;
  const { reason, detail, requester, supersededBy } = stop;
  events.emit('run:aborted', { run: viewOf(run), reason, detail, requester, supersededBy });
}

export function announceEnded(run: ManagedRun): void {
  const { events } = run.host.runtime;
  if (!run.isAnnounced) return;
  if (events.has('run:ended')) {
    const { status } = run;
    if (status === 'failed') events.emit('run:ended', { run: viewOf(run), status, error: run.result });
    else events.emit('run:ended', { run: viewOf(run), status: status === 'completed' ? status : 'aborted' });
  }
  if (run.generation === 0) run.host.queueChanged(run.sessionKey);
  else sessionChanged(run);
}

/** Also of a run that no caller knows of: its id was known, and whoever watches it by its id is told that it is over. */
export function announceSaved(run: ManagedRun): void {
  const { events } = run.host.runtime;
  if (events.has('run:saved')) events.emit('run:saved', { run: viewOf(run) });
}

export function announceQuiet(run: ManagedRun): void {
  const { events } = run.host.runtime;
  if (events.has('run:quiet')) {
    const { elapsedMs, fencedEffects } = run.report();
    events.emit('run:quiet', { run: viewOf(run), elapsedMs, fencedEffects });
  }
  if (run.generation > 0) sessionChanged(run);
}

/** As `announceSaved`. */
export function announceForgotten(run: ManagedRun): void {
  const { events } = run.host.runtime;
  if (events.has('run:forgotten')) events.emit('run:forgotten', { run: viewOf(run) });
}

/** Of a run's refused effects, the first: a loop that goes on is no flood of events. */
export function announceFenced(run: ManagedRun): void {
  const { events } = run.host.runtime;
  if (events.has('effect:fenced')) events.emit('effect:fenced', { run: viewOf(run) });
}

/** @param queuedRunIds - made for those who read it: a list with every change would make a queue of n cost n times n */
export function announceQueue(
  { events }: NodeContext,
  sessionKey: string,
  length: () => number,
  queuedRunIds: () => readonly string[],
): void {
  if (!events.has('queue:changed')) return;
  events.emit('queue:changed', {
    sessionKey,
    length: length(),
    get queuedRunIds() {
      return queuedRunIds();
    },
  });
}

/** @returns false if nobody heard it: then somebody else is to be told */
export function announceOrphaned({ events }: NodeContext, runs: readonly StoredRun[]): boolean {
  if (!events.has('run:orphaned')) return false;
  for (const run of runs) events.emit('run:orphaned', { run: viewOfStored(run) });
  return true;
}

function sessionChanged({ host, sessionKey }: ManagedRun): void {
  const { events } = host.runtime;
  if (events.has('session:changed')) events.emit('session:changed', { sessionKey });
}
