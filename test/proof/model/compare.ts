import { may, type Who } from './reference/authority.js';
import type { Run } from './reference/run.js';
import type { Reference } from './reference.js';
import { by, SESSIONS, type World } from './world.js';

/** The model and the library disagree. */
export class Disagreement extends Error {
  override readonly name: string = 'Disagreement';

  constructor(what: string, expected: unknown, actual: unknown) {
    super(`${what}\n  the model says:     ${String(expected)}\n  the library says:   ${String(actual)}`);
  }
}

function same(what: string, expected: unknown, actual: unknown): void {
  if (expected !== actual) throw new Disagreement(what, expected, actual);
}

/** Compares what users saw since the last time, and everything that they can look at now. */
export function compare(model: Reference, world: World): void {
  lines('events', model.journal.events, world.journal.events);
  lines('answers', model.journal.settled.sort(), world.journal.settled.sort());
  lines('errors', model.journal.errors.sort(), world.journal.errors.sort());
  model.journal.clear();
  world.journal.clear();
  if (model.phase !== 'closed') compareSessions(model, world);
  for (const run of model.runs) if (run.isInHand) compareRun(run, world);
}

function lines(what: string, expected: readonly string[], actual: readonly string[]): void {
  if (expected.length === actual.length && expected.every((line, at) => line === actual[at])) return;
  const list = (all: readonly string[]): string => all.map((line) => `\n    ${line}`).join('');
  throw new Disagreement(what, list(expected), list(actual));
}

function compareSessions(model: Reference, world: World): void {
  const { runs } = world.control;
  for (const session of SESSIONS) {
    same(`session ${session}`, model.view(session), world.view(session));
    const expected = model.locks.get(session)?.holder;
    const name = expected === undefined || expected === 'host' ? expected : expected.id;
    same(`lock of ${session}`, name, world.holder(session));
  }
  for (const run of model.known.values()) {
    const view = runs.get(run.id);
    same(`status of ${run.id}`, run.status, view?.status);
    same(`reason of ${run.id}`, run.reason, view?.reason);
    same(`whether ${run.id} has its generation`, run.hasStarted, (view?.generation ?? 0) > 0);
    same(`parent of ${run.id}`, run.parent?.id, view?.parentId);
  }
  same(
    'abandoned',
    ids([...model.ending.abandoned]),
    runs
      .abandoned()
      .map(({ runId }) => runId)
      .join(),
  );
  const { entries, lanes } = runs.sizes;
  same('how many runs are known', model.known.size, entries);
  same('how many sessions have a queue', model.queue.lines.size, lanes);
}

function compareRun(run: Run, world: World): void {
  const held = world.runs.get(run.label);
  same(`whether ${run.label} is current`, run.isCurrent, held?.isCurrent());
  same(`status of ${run.label}`, run.status, held?.status);
  // Every second one: a signal is made when it is first read, and runs that never read it take another way.
  if (run.label.charCodeAt(run.label.length - 1) % 2 === 0) {
    same(`signal of ${run.label}`, run.reason !== undefined, held?.signal.aborted);
  }
}

/** What one requester may see of everything. */
export function compareFor(model: Reference, world: World, requester: Who, kind: string): void {
  const { runs } = world.control;
  const readable = (run: Run): boolean => may(requester, run.spec.owner);
  for (const session of SESSIONS) {
    same(`session ${session} for ${requester}`, model.view(session, requester), world.view(session, requester));
    const running = model.inSession(session).filter((run) => run.isCurrent && readable(run));
    same(`isActive ${session}`, running.length > 0, runs.isActive(session, by(requester)));
    const ofKind = running.some(({ spec }) => spec.kind === kind);
    same(`isActive ${session} ${kind}`, ofKind, runs.isActive(session, { kind, ...by(requester) }));
  }
  for (const run of model.known.values()) {
    same(`${run.id} for ${requester}`, readable(run), runs.get(run.id, by(requester)) !== undefined);
  }
  const listed = model.unquiet.filter((run) => readable(run) && (run.isLive || run.status === 'stopping'));
  const list = runs.list(by(requester)).map(({ runId }) => runId);
  same(`list for ${requester}`, ids(listed, true), list.sort().join());
}

function ids(runs: readonly Run[], isSorted = false): string {
  const all = runs.map(({ id }) => id);
  return (isSorted ? all.sort() : all).join();
}
