import type { AbortReason, Notices, RunRef, StoredRun } from '../index.js';
import type { Shard } from './shard.js';

/**
 * Tells a node what has changed in a shard: what others did to its runs and its lock, which stops they recorded, and
 * whose end it may wait for. Derived from the states and from nothing else, so a missed wake-up costs time, not a notice.
 */
export function tellDifference(before: Shard, after: Shard, nodeId: string, notices: Notices): void {
  tellStopped(before, after, nodeId, notices);
  tellRecorded(before, after, nodeId, notices);
  tellLocks(before, after, nodeId, notices);
  tellEnded(before, after, nodeId, notices);
}

function tellStopped(before: Shard, after: Shard, nodeId: string, notices: Notices): void {
  for (const run of before.memory.runs) {
    if (run.nodeId !== nodeId || !isLive(run)) continue;
    const now = after.memory.runs.find(({ runId }) => runId === run.runId);
    const isOver = now === undefined || now.generation !== run.generation || !isLive(now);
    // Its own node would have ended it: another one has declared this process dead.
    if (isOver) stopped(notices, run, 'lock-lost', undefined);
    else if (run.status === 'running' && now.status === 'stopping') {
      const reason = now.reason ?? 'policy';
      stopped(notices, now, reason, reason === 'superseded' ? successorOf(now, after)?.runId : undefined);
    }
  }
}

function stopped(notices: Notices, run: RunRef, reason: AbortReason, supersededBy: string | undefined): void {
  const { sessionKey, runId, generation } = run;
  notices.stopped({ sessionKey, reason, runs: [{ sessionKey, runId, generation }], supersededBy });
}

function successorOf({ sessionKey, generation }: StoredRun, after: Shard): StoredRun | undefined {
  return after.memory.runs.find((run) => run.sessionKey === sessionKey && run.generation > generation);
}

function tellRecorded(before: Shard, after: Shard, nodeId: string, notices: Notices): void {
  for (const { sessionKey, stops } of after.memory.sessions) {
    const known = sessionIn(before, sessionKey)?.stops.map(({ number }) => number) ?? [];
    for (const stop of stops) {
      if (stop.nodeId !== nodeId && !stop.intent && !known.includes(stop.number))
        notices.recorded({ sessionKey, stop });
    }
  }
}

function tellLocks(before: Shard, after: Shard, nodeId: string, notices: Notices): void {
  for (const { sessionKey, lock } of before.memory.sessions) {
    const { holder } = lock;
    if (holder === undefined || sessionIn(after, sessionKey)?.lock.holder?.token === holder.token) continue;
    if (holder.nodeId === nodeId) notices.lockLost({ sessionKey, token: holder.token });
    else notices.changed({ sessionKey, ended: undefined });
  }
}

function tellEnded(before: Shard, after: Shard, nodeId: string, notices: Notices): void {
  for (const run of before.memory.runs) {
    if (run.nodeId === nodeId || !isLive(run)) continue;
    const now = after.memory.runs.find(({ runId }) => runId === run.runId);
    if (now?.generation === run.generation && now.status === run.status) continue;
    const { sessionKey } = run;
    notices.changed({ sessionKey, ended: now?.generation === run.generation ? now : { ...run, status: 'aborted' } });
  }
}

function sessionIn(shard: Shard, sessionKey: string): Shard['memory']['sessions'][number] | undefined {
  return shard.memory.sessions.find((session) => session.sessionKey === sessionKey);
}

function isLive({ status }: StoredRun): boolean {
  return status === 'running' || status === 'stopping';
}
