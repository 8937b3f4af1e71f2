import type { StoredRun } from 'runfence/backend';
import { over, type Right, type WrongBackend } from './over.js';

/** Takes all that a node has away, wherever it is. */
function robbing(right: Right, nodeId: string): void {
  for (const { sessionKey, runs, holder } of right.readNode(nodeId)) {
    const about = { sessionKey, nodeId, seen: 0 };
    for (const { runId, generation } of runs.filter((run) => run.nodeId === nodeId)) {
      right.end({
        ...about,
        runId,
        generation,
        status: 'aborted',
        reason: 'heartbeat-lost',
        report: undefined,
        retain: true,
      });
    }
    if (holder?.nodeId === nodeId) right.unlock({ ...about, token: holder.token });
  }
}

export const BURIALS: readonly WrongBackend[] = [
  {
    wrong: 'takes away what a node had as soon as its lease has ended',
    noticed: 'asleep-keeps',
    make: over((right, asleep) => ({
      readSession: (request) => {
        for (const nodeId of asleep) robbing(right, nodeId);
        return right.readSession(request);
      },
    })),
  },
  {
    wrong: 'never takes anything from a node whose lease has ended',
    noticed: 'buried-by-lock',
    make: over(() => ({}), { hasLeases: false }),
  },
  {
    wrong: 'calls a run lost by policy whose node is gone',
    noticed: 'buried-by-claim',
    make: over((right) => {
      const other = (run: StoredRun): StoredRun =>
        run.reason === 'heartbeat-lost' ? { ...run, reason: 'policy' } : run;
      return {
        claim: (request) => {
          const answer = right.claim(request);
          return answer.kind === 'duplicate' ? { ...answer, run: other(answer.run) } : answer;
        },
      };
    }),
  },
  {
    wrong: 'leaves the record out although it has buried a node',
    noticed: 'buried-with-record',
    make: over((right) => ({
      claim: (request) => {
        const { version } = right.readSession({ ...request, watch: false });
        const answer = right.claim(request);
        const mayLeaveOut = answer.kind === 'granted' && version === request.seen;
        return mayLeaveOut ? { ...answer, snapshot: undefined } : answer;
      },
    })),
  },
  {
    wrong: 'buries a node in all sessions at once',
    noticed: 'buried-here-only',
    make: over((right, asleep) => ({
      claim: (request) => {
        for (const nodeId of asleep) robbing(right, nodeId);
        return right.claim(request);
      },
    })),
  },
  {
    wrong: 'buries a node that sleeps when its run is stopped',
    noticed: 'stopped-asleep',
    make: over((right, asleep) => ({
      stop: (request) => {
        for (const nodeId of asleep) robbing(right, nodeId);
        return right.stop(request);
      },
    })),
  },
  {
    wrong: 'looks at no list when it buries a node',
    noticed: 'list-before-burial',
    make: over((right) => ({
      stopEverywhere: (request) => right.stopEverywhere({ ...request, selector: { tag: 'another' } }),
    })),
  },
  {
    wrong: 'looks at no authority when it holds the list against a run',
    noticed: 'list-before-burial',
    make: over((right) => ({
      stopEverywhere: (request) => right.stopEverywhere({ ...request, requester: undefined }),
    })),
  },
];
