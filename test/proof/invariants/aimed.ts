import type { StopEverywhereRequest, StoredRun } from 'runfence/backend';

/** Only what is sure: the host and whoever shares the owner's user id may stop a run. */
export function isAimedAt({ selector, requester }: StopEverywhereRequest, run: StoredRun): boolean {
  const { owner, kind, tag } = selector;
  if (typeof requester === 'object' && (requester.userId === undefined || requester.userId !== run.owner?.userId)) {
    return false;
  }
  return (
    (owner === undefined || (owner.userId !== undefined && owner.userId === run.owner?.userId)) &&
    (kind === undefined || kind === run.kind) &&
    (tag === undefined || run.tags.includes(tag))
  );
}
