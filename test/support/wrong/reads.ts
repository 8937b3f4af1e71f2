import { over, type WrongBackend } from './over.js';

export const READS: readonly WrongBackend[] = [
  {
    wrong: 'shows a node only the records in which it has runs',
    noticed: 'read-node',
    make: over((right) => ({
      readNode: (nodeId) => right.readNode(nodeId).filter(({ runs }) => runs.some((run) => run.nodeId === nodeId)),
    })),
  },
  {
    wrong: 'shows a node the records of all nodes',
    noticed: 'read-node',
    make: over((right) => ({
      readNode: (nodeId) => {
        const keys = new Set(right.readActive().map(({ sessionKey }) => sessionKey));
        return [...keys].map((sessionKey) => right.readSession({ sessionKey, nodeId, watch: false }));
      },
    })),
  },
  {
    wrong: 'takes stopping runs for ended ones',
    noticed: 'read-active',
    make: over((right) => ({
      readActive: () => right.readActive().filter(({ status }) => status === 'running'),
    })),
  },
  {
    wrong: 'finds no run whose session is not said',
    noticed: 'read-run',
    make: over((right) => ({
      readRun: (request) => (request.sessionKey === undefined ? undefined : right.readRun(request)),
    })),
  },
  {
    wrong: 'forgets a live run',
    noticed: 'forget-run',
    make: over((right) => ({
      forget: (request) => {
        if ('runId' in request) {
          const rest = { nodeId: '', seen: 0, reason: undefined, report: undefined } as const;
          right.end({ ...request, ...rest, status: 'aborted', retain: false });
        }
        right.forget(request);
      },
    })),
  },
  {
    wrong: 'forgets by run id, whatever the generation',
    noticed: 'forget-by-generation',
    make: over((right) => ({
      forget: (request) => {
        if (!('runId' in request)) return right.forget(request);
        const run = right.readRun({ ...request, nodeId: '', watch: false });
        return right.forget({ ...request, generation: run?.generation ?? request.generation });
      },
    })),
  },
];
