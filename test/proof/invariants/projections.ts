import type { RunControl, RunEvents, RunView } from 'runfence';
import type { History } from './history.js';

const OVER: ReadonlySet<string> = new Set(['stopping', 'aborted', 'completed', 'failed']);

/** 6: at an event every projection shows what it announces, and all of them show the same. */
export function checkProjections<K extends keyof RunEvents & string>(
  history: History,
  control: RunControl,
  name: K,
  event: RunEvents[K],
): void {
  const wrong = (text: string): void => history.wrong(6, `at ${name}: ${text}`);
  if ('run' in event) checkRun(control, name, event.run, wrong);
  if ('queuedRunIds' in event) {
    const seen = control.runs.session(event.sessionKey).queuedRunIds;
    if (seen.join() !== event.queuedRunIds.join()) wrong(`${seen.join()} wait, and not ${event.queuedRunIds.join()}`);
  }
  const sessionKey = 'run' in event ? event.run.sessionKey : event.sessionKey;
  checkSame(control, sessionKey, wrong);
}

function checkRun(control: RunControl, name: string, run: RunView, wrong: (text: string) => void): void {
  const { runId, sessionKey } = run;
  const seen = control.runs.get(runId);
  if (seen === undefined) {
    // A late effect may come when the run is long forgotten.
    const isForgotten = name === 'effect:fenced' && run.status !== 'stopping' && OVER.has(run.status);
    if (!isForgotten) wrong(`${runId} is not there`);
    return;
  }
  if (seen.status !== run.status) wrong(`${runId} is ${seen.status}, and the event says ${run.status}`);
  const session = control.runs.session(sessionKey);
  const isListed = control.runs.list().some((one) => one.runId === runId);
  const isActive = session.activeRunIds.includes(runId);
  if (name === 'run:started') {
    if (run.status !== 'running') wrong(`${runId} is ${run.status}`);
    if (!isActive || !isListed || !control.runs.isActive(sessionKey)) wrong(`${runId} is not active`);
  } else if (name !== 'effect:fenced') {
    if (!OVER.has(run.status)) wrong(`${runId} is ${run.status}`);
    if (isActive || session.queuedRunIds.includes(runId)) wrong(`${runId} is active or queued`);
  }
  if (name === 'run:quiet' && (isListed || run.status !== 'aborted')) wrong(`${runId} is ${run.status}, or listed`);
}

/** The projections are made of one truth. */
export function checkSame(control: RunControl, sessionKey: string, wrong: (text: string) => void): void {
  const { runs } = control;
  const session = runs.session(sessionKey);
  const listed = runs.list().filter((run) => run.sessionKey === sessionKey);
  const ids = (status: string): string => sorted(listed.filter((run) => run.status === status).map((run) => run.runId));
  if (sorted(session.activeRunIds) !== ids('running')) wrong(`active: ${session.activeRunIds} or ${ids('running')}`);
  if (sorted(session.stoppingRunIds) !== ids('stopping')) wrong(`stopping: ${session.stoppingRunIds}`);
  if (sorted(session.queuedRunIds) !== ids('queued')) wrong(`queued: ${session.queuedRunIds} or ${ids('queued')}`);
  if (session.hasActiveRun !== session.activeRunIds.length > 0)
    wrong('hasActiveRun does not say what activeRunIds says');
  if (runs.isActive(sessionKey) !== session.hasActiveRun) wrong('isActive does not say what hasActiveRun says');
  for (const run of listed) {
    const seen = runs.get(run.runId);
    if (seen?.status !== run.status) wrong(`${run.runId} is listed as ${run.status}, and read as ${seen?.status}`);
  }
}

/** 2: a run that was let in alone finds nobody of before beside it. */
export function checkAlone(history: History, control: RunControl, run: RunView): void {
  const claim = history.all('claimed').find(({ runId }) => runId === run.runId);
  if (claim?.exclusive !== true) return;
  for (const runId of control.runs.session(run.sessionKey).activeRunIds) {
    const older = (control.runs.get(runId)?.generation ?? 0) < run.generation;
    // Stopped in the backend by another node, whose notice is on its way.
    const isStopped = history.all('replaced').some((fact) => fact.runId === runId);
    if (older && !isStopped && !claim.beside.includes(runId)) history.wrong(2, `${run.runId} started beside ${runId}`);
  }
}

function sorted(ids: readonly string[]): string {
  return [...ids].sort().join();
}
