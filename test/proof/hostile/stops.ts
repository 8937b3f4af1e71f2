import type { AbortReason, Principal, Run, Selector } from 'runfence';
import type { StoredRun } from 'runfence/backend';
import { ADA, type Cast, EVE } from './cast.js';
import type { Node } from './nodes.js';
import { handle, randomOptions } from './starts.js';

/** Stops what a random selector says, or a run that has not begun, in the name of the host, the owner or a stranger. */
export function abort(cast: Cast, node: Node, run: Run): void {
  const { random } = cast;
  const { control } = node;
  const { watch } = cast.world;
  const { sessionKey } = run;
  const requester = asUnique(cast, random.pick([undefined, ADA, EVE]));
  const reason = random.pick<AbortReason>(['user', 'policy', 'disconnect']);
  const runId = cast.newId('intent');
  const intended = random.chance(0.5) ? { runId } : { runId, sessionKey };
  const selector = random.pick<Selector | 'all'>([
    { runId: run.id },
    { runId: run.id },
    { sessionKey },
    { sessionKey },
    { sessionKey, kind: 'chat' },
    intended,
    random.pick<Selector | 'all'>([{ owner: ADA }, { kind: 'chat' }, { tag: 'red' }, 'all']),
  ]);
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

/** Two stops of one user can be told apart by it. */
function asUnique(cast: Cast, requester: Principal | undefined): Principal | undefined {
  return requester === undefined ? undefined : { ...requester, connId: cast.newId('stop') };
}

/** The receipt says that every node has been told: the state must know. */
function expectMarked(
  { world, wrong }: Cast,
  runIds: readonly string[],
  generations: ReadonlyMap<string, number>,
): void {
  for (const runId of runIds) {
    const asked = { runId, sessionKey: undefined, nodeId: '', watch: false };
    const stored = world.state?.readRun(asked) as StoredRun | undefined;
    const isThatOne = stored !== undefined && stored.generation === generations.get(runId);
    if (isThatOne && stored.status === 'running') wrong.push(`recorded, and ${runId} runs in the backend`);
  }
}

export function drain(cast: Cast, node: Node): void {
  const drained = node.control.drain({ graceMs: cast.random.below(3_000) }).then(({ runs }) => {
    const leftovers = new Set(runs.filter(({ state }) => state !== 'quiet').map(({ runId }) => runId));
    if (!cast.closed.has(node)) cast.closed.set(node, leftovers);
  });
  cast.note('drain', drained);
}
