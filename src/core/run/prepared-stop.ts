import type { StopItem } from '../backend/requests.js';
import { finderOf } from '../internal/finder.js';
import type { StopVerdict } from '../ledger/ledger.js';
import { Epilogue } from '../lock/epilogue.js';
import type { HeldGrant } from '../lock/grant.js';
import type { SessionLock } from '../lock/session-lock.js';
import type { ManagedRun } from './managed-run.js';

/** A cut run, and what the operation that records its stop does with its lock. */
export interface PreparedStop {
  readonly run: ManagedRun;
  readonly item: StopItem;
  /** The idle grant that is revoked with it. */
  readonly grant: HeldGrant | undefined;
}

/**
 * Notes, in the tick of the cut, that the run's idle grant is revoked with it and that its epilogue is due.
 *
 * @param isRecorded - the record knows of its stop: it has reserved the epilogue, and the grant is given back
 */
export function prepareStop(
  run: ManagedRun,
  isRecorded: boolean,
  locks: SessionLock,
  epilogueMs: number,
): PreparedStop {
  const grant = isRecorded ? undefined : idleGrantOf(run);
  if (grant !== undefined) {
    grant.revocation = 'sent';
    run.aftermath.lock = 'pending';
  }
  if (run.hasEpilogue) {
    const queue = locks.queue(run.sessionKey);
    const steps = [...(run.resources?.epilogue ?? [])];
    const { reason = 'policy', detail } = run.stop ?? {};
    const epilogue = new Epilogue(run, { reason, detail }, steps, epilogueMs, () => queue.pump());
    run.aftermath.epilogue = 'pending';
    run.aftermath.due = epilogue;
    queue.reserve(epilogue);
  }
  return { run, item: { ...stopItemOf(run), revoke: grant?.token }, grant };
}

/** The record has taken them. */
export function stopsApplied(prepared: readonly PreparedStop[], { runs, epilogues }: StopVerdict): void {
  const foundOf = finderOf(runs);
  const epilogueOf = finderOf(epilogues);
  for (const { run, grant } of prepared) {
    grant?.revocationAnswered(true);
    const found = foundOf(run.id);
    // Nobody was asked, or the record does not know the run any more.
    if (found === undefined || found.found === 'unknown') run.undecidable();
    else run.decided(found.run);
    // Without a reservation it comes too late; one that it has heard of before may be taken by now.
    run.aftermathIfAny?.due?.tokenKnown(epilogueOf(run.id)?.token);
  }
}

/** Published with the reason that is known here. The record is told by the comparison, and reserves then. */
export function stopsFailed(prepared: readonly PreparedStop[]): void {
  for (const { run, grant } of prepared) {
    grant?.revocationAnswered(false);
    run.undecidable();
  }
}

export function stopItemOf({ id: runId, generation, hasEpilogue }: ManagedRun): StopItem {
  return { runId, generation, revoke: undefined, hasEpilogue };
}

function idleGrantOf({ resources, sessionKey }: ManagedRun): HeldGrant | undefined {
  if (resources === undefined) return undefined;
  for (const held of resources.grants) {
    if (held.sessionKey === sessionKey && held.isIdle && held.revocation === 'none') return held;
  }
  return undefined;
}
