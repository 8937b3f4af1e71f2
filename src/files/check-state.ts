import { asFlag, asList, asNumber, asObject, asOneOf, asText, checkDistinct, ifGiven, type Unknown } from './check.js';
import type { Sessions } from './json.js';

const STATUSES = ['running', 'stopping', 'completed', 'failed', 'aborted'] as const;
const REASONS = [
  'user',
  'superseded',
  'disconnect',
  'timeout',
  'parent',
  'upstream',
  'shutdown',
  'heartbeat-lost',
  'lock-lost',
  'policy',
] as const;
const LOCKS = ['released', 'pending', 'revoked', 'failed', 'none'] as const;
const EPILOGUES = ['done', 'pending', 'failed', 'timed-out', 'skipped', 'none'] as const;
const IDS = ['userId', 'deviceId', 'connId'] as const;

/** Throws if what was read is not the state of a memory. Every field is looked at: what is read here is used everywhere. */
export function checkSessions(value: unknown): Sessions {
  const state = asObject(value, 'the state');
  const counter = asNumber(state.counter, 'the counter', { from: 0 });
  const runs = asList(state.runs, 'the list of runs').map((run) => checkRun(run, counter));
  const sessions = asList(state.sessions, 'the list of sessions').map((session) => checkSession(session, counter));
  checkDistinct(
    runs.map(({ runId }) => runId),
    'ids of runs',
  );
  checkDistinct(
    runs.map(({ generation }) => generation),
    'generations',
  );
  checkDistinct(sessions, 'keys of sessions');
  const known = new Set(sessions);
  for (const { runId, sessionKey, isLive } of runs) {
    if (isLive && !known.has(sessionKey)) throw new TypeError(`the session of run ${runId} is missing`);
  }
  return value as Sessions;
}

/** Throws if it is no stop of a session, or of the whole backend. */
export function checkStop(value: unknown, counter: number): number {
  const stop = asObject(value, 'a stop');
  asText(stop.nodeId, 'the node of a stop');
  asNumber(stop.attempt, 'the attempt of a stop', { from: 0 });
  checkSelector(stop.selector);
  ifGiven(stop.requester, (requester) => checkPrincipal(requester));
  asOneOf(stop.reason, REASONS, 'the reason of a stop');
  ifGiven(stop.detail, (detail) => asText(detail, 'the detail of a stop'));
  return asNumber(stop.number, 'the number of a stop', { to: counter });
}

/** Throws if it is no run as it is told to nodes. */
export function checkStoredRun(value: unknown, counter: number): Unknown {
  const run = asObject(value, 'a run');
  for (const name of ['sessionKey', 'runId', 'nodeId', 'kind']) asText(run[name], `${name} of a run`);
  for (const name of ['fingerprint', 'detail', 'supersededBy'])
    ifGiven(run[name], (text) => asText(text, `${name} of a run`));
  asNumber(run.generation, 'a generation', { to: counter });
  asNumber(run.listSince, 'the listSince of a run', { from: 0 });
  ifGiven(run.owner, (owner) => checkPrincipal(owner));
  for (const tag of asList(run.tags, 'the tags of a run')) asText(tag, 'a tag');
  if (run.graceMs !== null) asTime(run.graceMs, 'the graceMs of a run');
  asFlag(run.hasEpilogue, 'hasEpilogue of a run');
  const status = asOneOf(run.status, STATUSES, 'the status of a run');
  const reason = ifGiven(run.reason, (one) => asOneOf(one, REASONS, 'the reason of a run'));
  if (reason === undefined && (status === 'stopping' || status === 'aborted')) {
    throw new TypeError('a run that was stopped has no reason');
  }
  ifGiven(run.report, checkReport);
  return run;
}

function checkRun(
  value: unknown,
  counter: number,
): { runId: string; sessionKey: string; generation: number; isLive: boolean } {
  const run = checkStoredRun(value, counter);
  asNumber(run.attempt, 'the attempt of a run', { from: 0 });
  asNumber(run.grantAtStop, 'the grantAtStop of a run', { from: 0, to: counter });
  ifGiven(run.stoppedBy, (by) => {
    const { nodeId, attempt } = asObject(by, 'the stoppedBy of a run');
    asText(nodeId, 'the node of a stoppedBy');
    asNumber(attempt, 'the attempt of a stoppedBy', { from: 0 });
  });
  const isLive = run.status === 'running' || run.status === 'stopping';
  const { runId, sessionKey, generation } = run as { runId: string; sessionKey: string; generation: number };
  return { runId, sessionKey, generation, isLive };
}

function checkReport(value: unknown): void {
  const report = asObject(value, 'a report');
  asOneOf(report.lock, LOCKS, 'the lock of a report');
  asOneOf(report.epilogue, EPILOGUES, 'the epilogue of a report');
  for (const name of asList(report.leftovers, 'the leftovers of a report')) asText(name, 'a leftover');
  ifGiven(report.unknown, (names) => {
    for (const name of asList(names, 'what is unknown in a report')) asText(name, 'a name of what is unknown');
  });
  asNumber(report.fencedEffects, 'the fencedEffects of a report', { from: 0 });
  asTime(report.elapsedMs, 'the elapsedMs of a report');
  ifGiven(report.interrupted, (one) => asFlag(one, 'interrupted of a report'));
}

function checkSession(value: unknown, counter: number): string {
  const session = asObject(value, 'a session');
  asNumber(session.version, 'a version', { to: counter });
  const lock = asObject(session.lock, 'a lock');
  asNumber(lock.attempt, 'the attempt of a lock', { from: 0 });
  asNumber(lock.lastGrant, 'the last grant of a lock', { from: 0, to: counter });
  const holder = ifGiven(lock.holder, (one) => checkHolder(one, counter));
  const reserved = asList(lock.reserved, 'the reservations of a lock').map((one) => {
    const { runId, nodeId, token } = asObject(one, 'a reservation');
    asText(runId, 'the run of a reservation');
    asText(nodeId, 'the node of a reservation');
    return asNumber(token, 'the token of a reservation', { to: counter });
  });
  checkDistinct(holder === undefined ? reserved : [holder, ...reserved], 'tokens');
  const stops = asList(session.stops, 'the stops of a session').map((one) => {
    const { stop, unmet } = asObject(one, 'a kept stop');
    asFlag(asObject(stop, 'a stop').intent, 'the intent of a stop');
    for (const runId of asList(asObject(stop, 'a stop').marked, 'the runs of a stop')) asText(runId, 'a run of a stop');
    for (const runId of asList(unmet, 'the runs of a stop')) asText(runId, 'a run of a stop');
    return checkStop(stop, counter);
  });
  checkDistinct(stops, 'numbers of stops');
  return asText(session.sessionKey, 'the key of a session');
}

function checkHolder(value: unknown, counter: number): number {
  const holder = asObject(value, 'a holder');
  asText(holder.nodeId, 'the node of a holder');
  for (const name of ['runId', 'host', 'why']) ifGiven(holder[name], (text) => asText(text, `${name} of a holder`));
  ifGiven(holder.pid, (pid) => asNumber(pid, 'the pid of a holder'));
  asTime(holder.since, 'the since of a holder');
  asFlag(holder.isEpilogue, 'isEpilogue of a holder');
  return asNumber(holder.token, 'the token of a holder', { to: counter });
}

function checkSelector(value: unknown): void {
  const selector = asObject(value, 'a selector');
  for (const name of ['runId', 'sessionKey', 'kind', 'tag']) ifGiven(selector[name], (one) => asText(one, name));
  ifGiven(selector.owner, (owner) => checkPrincipal(owner));
  ifGiven(selector.generation, (one) => asNumber(one, 'the generation of a selector'));
}

/** The mark of an admin is one, too. */
function checkPrincipal(value: unknown): void {
  const principal = asObject(value, 'a principal');
  if (IDS.every((name) => principal[name] === undefined)) throw new TypeError('a principal names nobody');
  for (const name of IDS) ifGiven(principal[name], (id) => asText(id, name));
}

function asTime(value: unknown, what: string): void {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new TypeError(`${what} is no time`);
}
