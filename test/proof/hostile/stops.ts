import type { AbortReason, Run, Selector, StoredRun } from 'runfence';
import { ADA, type Cast, EVE } from './cast.js';
import type { Node } from './nodes.js';
import { handle, randomOptions } from './starts.js';

/** Stops a run, its session, or a run that has not begun, in the name of the host, the owner or a stranger. */
export function abort(cast: Cast, node: Node, run: Run): void {
  const { random } = cast;
  const { control } = node;
  const { watch } = cast.world;
  const { sessionKey } = run;
  const requester = random.pick([undefined, ADA, EVE]);
  const reason = random.pick<AbortReason>(['user', 'policy', 'disconnect']);
  const runId = cast.newId('intent');
  const intended = { runId, sessionKey };
  const selector = random.pick<Selector>([{ runId: run.id }, { sessionKey }, { sessionKey, kind: 'chat' }, intended]);
  const intent = selector === intended;
  const generations = new Map(control.runs.list().map((listed) => [listed.runId, listed.generation]));
  const answer = watch.stop(control, selector, { reason, ...(requester !== undefined && { requester }), intent });
  void cast.pending.note('abort', answer).then((receipt) => {
    if (receipt === undefined) return;
    if (receipt.recorded === 'cluster') expectMarked(cast, receipt.runIds, generations);
    const report = receipt.whenQuiet().then((seen) => {
      // Of a run of another node a receipt says only that nothing was reported.
      if (seen.runs.every(({ state }) => state !== 'unreported')) watch.checkReport(seen);
    });
    cast.note('quiet', report);
  });
  if (intent && random.chance(0.7)) {
    cast.note('intended', handle(cast, node, { ...randomOptions(cast), runId, sessionKey }));
  }
}

/** The receipt says that every node has been told: the state must know. */
function expectMarked(cast: Cast, runIds: readonly string[], generations: ReadonlyMap<string, number>): void {
  for (const runId of runIds) {
    const [stored] = cast.world.state.read({ runId }) as readonly StoredRun[];
    const isThatOne = stored !== undefined && stored.generation === generations.get(runId);
    if (isThatOne && stored.status === 'running') cast.wrong.push(`recorded, and ${runId} runs in the backend`);
  }
}

export function drain(cast: Cast, node: Node): void {
  const drained = node.control.drain({ graceMs: cast.random.below(3_000) }).then(({ runs }) => {
    const leftovers = new Set(runs.filter(({ state }) => state !== 'quiet').map(({ runId }) => runId));
    if (!cast.closed.has(node)) cast.closed.set(node, leftovers);
  });
  cast.note('drain', drained);
}
