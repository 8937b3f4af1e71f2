import type { AbortRegistry } from '../abort/registry.js';
import { matches } from '../abort/selector.js';
import { Stop } from '../abort/stop.js';
import type { Backend, Notices, RunRef } from '../backend/port.js';
import { settle } from '../internal/awaitable.js';
import type { SessionLock } from '../lock/session-lock.js';
import type { Duplicates } from './duplicates.js';
import { ManagedRun } from './managed-run.js';
import type { Queue } from './queue.js';
import { Retained } from './retained.js';

/** Listens to what other nodes do to this one's runs. Returns the remover. */
export function subscribe({
  backend,
  aborts,
  locks,
  duplicates,
  queue,
}: {
  readonly backend: Backend;
  readonly aborts: AbortRegistry;
  readonly locks: SessionLock;
  readonly duplicates: Duplicates;
  readonly queue: Queue;
}): () => void {
  const { runtime, entries } = aborts;
  /** By identity: a notice for an earlier generation hits nobody. One that overtakes the claim's answer is kept for it. */
  const stop = (refs: readonly RunRef[], how: Stop): void => {
    const hit: ManagedRun[] = [];
    for (const { runId, generation } of refs) {
      const entry = entries.get(runId);
      if (!(entry instanceof ManagedRun)) continue;
      if (entry.generation === generation) hit.push(entry);
      else if (entry.status === 'queued') entry.stoppedEarly = { generation, stop: how };
    }
    aborts.stop(hit, how);
  };
  const reconcile = (sessionKey: string): void => {
    settle(
      () => backend.read({ sessionKey }),
      (stored) => {
        for (const run of stored) {
          if (run.status === 'stopping') stop([run], aborts.newStop(run.reason ?? 'policy'));
        }
        locks.changed(sessionKey);
        queue.pump(sessionKey);
      },
      (error) => runtime.onError(error, { sessionKey }),
    );
  };
  const notices: Notices = {
    stopped: ({ reason, runs, supersededBy }) => {
      stop(runs, aborts.newStop(reason, supersededBy));
    },
    recorded: ({ sessionKey, stop: { selector, requester, reason } }) => {
      const hit = entries
        .inSession(sessionKey)
        .filter(
          (entry) =>
            entry.status === 'queued' && matches(selector, entry) && runtime.authority.may('abort', requester, entry),
        );
      aborts.stop(hit, new Stop(reason, runtime.clock.monotonic(), requester));
    },
    changed: ({ sessionKey, ended }) => {
      if (ended !== undefined) duplicates.ended(ended);
      locks.changed(sessionKey);
      queue.pump(sessionKey);
    },
    lockLost: ({ sessionKey, token }) => locks.lockLost(sessionKey, token),
    gap: () => {
      duplicates.reconcile();
      locks.reconcile();
      for (const sessionKey of entries.sessionKeys()) reconcile(sessionKey);
    },
  };
  return backend.subscribe(runtime.nodeId, notices, new Retained(entries));
}
