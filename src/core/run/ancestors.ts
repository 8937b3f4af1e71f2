import type { ManagedRun } from './managed-run.js';

/** The ancestors of a run that are not quiet yet, nearest first. */
export function ancestorsOf(run: ManagedRun): ManagedRun[] {
  const ancestors: ManagedRun[] = [];
  for (let at = run; ; at = at.parent) {
    // A chain of detached runs would keep every one that ever was.
    while (at.parent?.isQuiet === true) at.parent = at.parent.parent;
    if (at.parent === undefined) return ancestors;
    ancestors.push(at.parent);
  }
}

/** A run behind others that wait for its own ancestors would wait for itself. */
export function waitsForAncestorOf(waiting: ManagedRun, run: ManagedRun): boolean {
  if (run.parent === undefined) return false;
  const own = ancestorsOf(waiting);
  return ancestorsOf(run).some(
    (ancestor) => ancestor.isLive && ancestor.sessionKey === waiting.sessionKey && !own.includes(ancestor),
  );
}
