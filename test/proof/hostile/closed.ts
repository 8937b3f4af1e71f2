import type { Backend } from 'runfence';
import type { Snapshot } from 'runfence/backend';
import { type Cast, SESSIONS } from './cast.js';
import type { Node } from './nodes.js';

/** The record of a session, as it is. */
export function recordOf(state: Backend, sessionKey: string): Snapshot {
  return state.readSession({ sessionKey, nodeId: '', watch: false }) as Snapshot;
}

/**
 * A durable backend gives a node up that does not renew; this one is given up here, after its drain. What is left of it
 * must have been named by its drain, or when its backend was closed, or be the late effect of a call that hung until then.
 *
 * @returns the tokens that it still held
 */
export function giveUp(cast: Cast): Set<number> {
  const { state } = cast.world;
  const given = new Set<number>();
  if (state === undefined) return given;
  for (const [node, leftovers] of cast.closed) {
    for (const sessionKey of SESSIONS) giveUpIn(cast, state, sessionKey, node, leftovers, given);
  }
  return given;
}

function giveUpIn(
  cast: Cast,
  state: Backend,
  sessionKey: string,
  node: Node,
  leftovers: ReadonlySet<string>,
  given: Set<number>,
): void {
  const { nodeId } = node.control.aborts.runtime;
  const closedAt = node.backend?.closedAt ?? 0;
  const { history } = cast.world.watch;
  const late = history.facts.filter(({ time }) => time >= closedAt);
  const isStray = (wasTold: boolean): boolean => cast.world.isDoubling && !wasTold;
  const { runs, holder, reserved } = recordOf(state, sessionKey);
  const asked = { sessionKey, nodeId, seen: 0 };
  const unnamed = (what: string): void => {
    cast.wrong.push(`${what} is left of a closed node, unnamed`);
  };
  const free = (token: number): void => {
    given.add(token);
    state.unlock({ ...asked, token });
  };
  for (const run of runs) {
    if (run.nodeId !== nodeId) continue;
    const { runId, generation, reason } = run;
    const isLate = leftovers.has(runId) || late.some((fact) => fact.type === 'claimed' && fact.runId === runId);
    const wasTold = history.all('run:started').some((fact) => fact.run.generation === generation);
    if (!isLate && !isStray(wasTold) && !isNamed(node, `run "${runId}"`)) unnamed(runId);
    state.end({ ...asked, runId, generation, status: 'aborted', reason, report: undefined, retain: false });
  }
  for (const { runId, token, nodeId: reservedBy } of reserved) {
    if (reservedBy !== nodeId) continue;
    if (!leftovers.has(runId) && !isNamed(node, runId)) unnamed(`the place of the epilogue of ${runId}`);
    free(token);
  }
  if (holder?.nodeId !== nodeId) return;
  const { token, runId } = holder;
  const isLeftover = runId !== undefined && leftovers.has(runId);
  const isLate =
    isLeftover || cast.hosted.has(token) || late.some((fact) => fact.type === 'drawn' && fact.number === token);
  const isOwed = isNamed(node, `token ${token}`) || isNamed(node, `a grant of "${sessionKey}"`);
  const wasTold = history.all('lock:granted').some((fact) => fact.token === token);
  if (!isLate && !isOwed && !isStray(wasTold)) unnamed(`the lock ${token} of ${sessionKey}`);
  free(token);
}

function isNamed({ errors }: Node, name: string): boolean {
  return errors.some(
    (error) =>
      error instanceof Error && error.message.includes(`closed before it took`) && error.message.includes(name),
  );
}
