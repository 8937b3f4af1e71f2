import type { Entry } from '../abort/entry.js';
import type { AbortRegistry } from '../abort/registry.js';
import { Stop } from '../abort/stop.js';
import type { Cause, LedgerHost } from '../ledger/host.js';
import type { LedgerRun } from '../ledger/ledger.js';
import type { SessionLock } from '../lock/session-lock.js';
import { announceOrphaned } from './announce.js';
import type { Candidate } from './candidate.js';
import { ManagedRun } from './managed-run.js';
import type { StartQueue } from './start-queue.js';

/** What a shared ledger finds and does on this node. */
export function hostOfLedger({
  aborts,
  locks,
  queue,
}: {
  readonly aborts: AbortRegistry;
  readonly locks: () => SessionLock;
  readonly queue: () => StartQueue;
}): LedgerHost {
  const { runtime, entries } = aborts;
  return {
    runs: (sessionKey) => runsOf(entries.startedIn(sessionKey)).filter(({ generation }) => generation > 0),
    candidates: (sessionKey) => runsOf(entries.inSession(sessionKey)).map(candidateOf).filter(isThere),
    find: (runId, generation) => {
      const named = entries.named(runId);
      const entry = named.find((one) => one.generation === generation) ?? named[0];
      return entry instanceof ManagedRun ? entry : undefined;
    },
    locks: (sessionKey) => locks().locks(sessionKey),
    sessionKeys: () => new Set([...entries.sessionKeys(), ...locks().sessionKeys]),
    cut: (runs, cause) => cut(aborts, runs, cause),
    mayStop: (requester, run) =>
      runtime.authority.may('abort', requester, {
        sessionKey: run.sessionKey,
        runId: run.id,
        kind: run.kind,
        owner: run.owner,
      }),
    wake: (sessionKey, version) => {
      locks().wake(sessionKey);
      queue().pump(sessionKey, version);
    },
    isUsing: (sessionKey) => entries.isUsing(sessionKey) || locks().isUsing(sessionKey),
    orphaned: (runs, acknowledge) => {
      if (announceOrphaned(runtime, runs)) acknowledge();
    },
    suspend: () => {
      for (const run of runsOf(entries.unquiet())) run.suspend();
    },
    resume: () => {
      for (const run of runsOf(entries.unquiet())) run.resume();
    },
  };
}

/** One that the record knows to be stopped is not told to it; of one that is asked for, the answer decides the outcome. */
function cut(
  aborts: AbortRegistry,
  runs: readonly LedgerRun[],
  { reason, requester, supersededBy, detail, record }: Cause,
): void {
  const own = runs as readonly ManagedRun[];
  const stop = new Stop(reason, aborts.runtime.clock.monotonic(), requester, supersededBy, detail);
  const known = record === 'untold' ? undefined : new Set(own);
  if (record === 'asked') for (const run of own) run.awaitsRecord = true;
  aborts.stop(own, stop, known);
}

function runsOf(entries: readonly Entry[]): ManagedRun[] {
  return entries.filter((entry) => entry instanceof ManagedRun);
}

function candidateOf(run: ManagedRun): Candidate | undefined {
  return run.candidate;
}

function isThere<T>(value: T | undefined): value is T {
  return value !== undefined;
}
