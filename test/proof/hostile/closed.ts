import type { LockHolder, StoredRun } from 'runfence';
import { type Cast, SESSIONS } from './cast.js';
import type { Node } from './nodes.js';

/**
 * A durable backend gives a node up that does not renew; this one is given up here, after its drain. What is left of it
 * must have been named by its drain, or when its backend was closed, or be the late effect of a call that hung until then.
 *
 * @returns the tokens that it still held
 */
export function giveUp(cast: Cast): Set<number> {
  const { state } = cast.world;
  const given = new Set<number>();
  for (const [node, leftovers] of cast.closed) {
    const { nodeId } = node.control.aborts.runtime;
    const { closedAt = 0 } = node.backend;
    const late = cast.world.watch.history.facts.filter(({ time }) => time >= closedAt);
    for (const sessionKey of SESSIONS) {
      for (const run of state.read({ sessionKey }) as readonly StoredRun[]) {
        if (run.nodeId !== nodeId) continue;
        const { runId, generation } = run;
        const isLate = leftovers.has(runId) || late.some((fact) => fact.type === 'claimed' && fact.runId === runId);
        if (!isLate && !isNamed(node, `run "${runId}"`)) cast.wrong.push(`${runId} is left of a closed node, unnamed`);
        state.end({ sessionKey, runId, generation, nodeId, status: 'aborted', retain: false });
      }
      const holder = state.holder(sessionKey) as LockHolder | undefined;
      if (holder?.nodeId !== nodeId) continue;
      const { token } = holder;
      const isLeftover = holder.runId !== undefined && leftovers.has(holder.runId);
      const isLate =
        isLeftover || cast.hosted.has(token) || late.some((fact) => fact.type === 'drawn' && fact.number === token);
      const isOwed = isNamed(node, `token ${token}`) || isNamed(node, `a grant of "${sessionKey}"`);
      if (!isLate && !isOwed) cast.wrong.push(`the lock ${token} of ${sessionKey} is left of a closed node, unnamed`);
      given.add(token);
      state.unlock({ sessionKey, token });
    }
  }
  return given;
}

function isNamed({ errors }: Node, name: string): boolean {
  return errors.some(
    (error) =>
      error instanceof Error && error.message.includes(`closed before it took`) && error.message.includes(name),
  );
}
