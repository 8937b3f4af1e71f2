import { type Clock, RunfenceError, type RunView } from '../index.js';
import type { KillOptions, KillReport } from './handle.js';
import { KillLadder } from './kill-ladder.js';
import { markOfView } from './mark.js';
import { readKill } from './options.js';
import { treeOfMark } from './platform.js';
import { type Sighting, type Tree, UNKNOWN } from './tree.js';

const GRACE_MS = 3_000;

const REAL: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};

/** Which run, as `run:orphaned` names it. */
export type OrphanedRun = Pick<RunView, 'nodeId' | 'runId' | 'generation'>;

/** What became of the processes of an orphaned run. */
export interface OrphanReport extends KillReport {
  /** How many processes of it were there on this machine at the first look. */
  readonly found: number;
}

/**
 * Ends what a run has left on this machine whose own process has died: all that `spawn` has started for it, with all that
 * came of it. A process is found by the mark of the run in its environment, which it has from its start, or because it is a
 * child of such a process or in a session of the run's, and never by a pid alone. What was started with `atAbort: 'detach'` goes on.
 *
 * `run:orphaned` is told to one process, which may be on another machine: with several, hand the run on to the one that
 * had it. Only Linux shows a mark: elsewhere nobody is killed, and `gone` is false. So it is if this very process was
 * started by the run.
 *
 * @param run - the run of the event
 * @param options - `graceMs`: from SIGTERM to SIGKILL, in ms, 0 to 60 000; 3 000 by default
 * @returns what was found, and what was proven
 * @throws `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 * import { endOrphan } from 'runfence/process';
 *
 * const control = createRunControl();
 * control.on('run:orphaned', async ({ run }) => {
 *   const { gone, found } = await endOrphan(run);
 *   if (!gone) console.warn(`run ${run.runId} left processes: ${found} were found`);
 * });
 * ```
 */
export async function endOrphan(run: OrphanedRun, options: KillOptions = {}): Promise<OrphanReport> {
  const from = performance.now();
  const graceMs = readKill(options).graceMs ?? GRACE_MS;
  const tree = treeOf(run);
  const first = tree === undefined ? UNKNOWN : await lookAt(tree);
  const last = tree === undefined || first.state === 'gone' ? first : await new KillLadder(tree, REAL, graceMs).end;
  return {
    gone: last.state === 'gone',
    survivors: membersOf(last).map(({ pid, command }) => ({ pid, command })),
    elapsedMs: performance.now() - from,
    found: membersOf(first).length,
  };
}

/** `undefined`: nobody can be proven to be of it. */
function treeOf(run: OrphanedRun): Tree | undefined {
  const mark = markOfView(checked(run));
  try {
    return treeOfMark(mark);
  } catch {
    return undefined;
  }
}

async function lookAt(tree: Tree): Promise<Sighting> {
  try {
    return await tree.look();
  } catch {
    return UNKNOWN;
  }
}

function membersOf(sighting: Sighting): Extract<Sighting, { state: 'alive' }>['members'] {
  return sighting.state === 'alive' ? sighting.members : [];
}

/** What a mark is made of has to be there: of less, it would be that of no run. */
function checked(run: OrphanedRun): OrphanedRun {
  const { nodeId, runId, generation } = (run ?? {}) as Partial<OrphanedRun>;
  if (typeof nodeId === 'string' && typeof runId === 'string' && Number.isSafeInteger(generation)) {
    return { nodeId, runId, generation: generation as number };
  }
  throw new RunfenceError('INVALID_OPTIONS', 'endOrphan needs the `run` of a run:orphaned event.');
}
