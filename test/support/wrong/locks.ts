import { isA, over, type WrongBackend } from './over.js';

export const LOCKS: readonly WrongBackend[] = [
  {
    wrong: 'frees a lock for whoever asks',
    noticed: 'unlock-twice',
    make: over((right) => ({
      unlock: (request) => {
        const { holder } = right.readSession({ ...request, watch: false });
        return right.unlock({ ...request, token: holder?.token ?? request.token });
      },
    })),
  },
  {
    wrong: 'grants a lock to a stale run',
    noticed: 'stale-lock',
    make: over((right) => ({ lock: (request) => right.lock({ ...request, run: undefined }) })),
  },
  {
    wrong: 'is busy before it is stale',
    noticed: 'stale-before-busy',
    make: over((right) => ({
      lock: (request) => {
        const { holder, version } = right.readSession({ ...request, watch: false });
        if (holder === undefined || isA(right.lock(request), 'granted')) return right.lock(request);
        return { kind: 'busy', holder, version, snapshot: right.readSession({ ...request, watch: false }) };
      },
    })),
  },
  {
    wrong: 'lets its holder in again',
    noticed: 'not-reentrant',
    make: over((right) => ({
      lock: (request) => {
        const snapshot = right.readSession({ ...request, watch: false });
        const { holder, version } = snapshot;
        const isOwn = holder?.runId !== undefined && holder.runId === request.run?.runId;
        return isOwn ? { kind: 'granted', token: holder.token, version, snapshot } : right.lock(request);
      },
    })),
  },
  {
    wrong: 'looks at no token when it checks',
    noticed: 'check-token',
    make: over((right) => ({ check: (request) => right.check({ ...request, token: undefined }) })),
  },
  {
    wrong: 'takes a reservation for a grant when it checks',
    noticed: 'check-token',
    make: over((right) => ({
      check: (request) => {
        const { reserved } = right.readSession({ ...request, nodeId: '', watch: false });
        return right.check(request) || reserved.some(({ token }) => token === request.token);
      },
    })),
  },
];
