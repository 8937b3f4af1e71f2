import type { Notices } from 'runfence/backend';
import { over, type Right, type WrongBackend } from './over.js';

/** Passes on only what `isTold` lets through. */
function filtering(isTold: (right: Right, nodeId: string, sessionKey: string) => boolean): WrongBackend['make'] {
  return over((right) => ({
    subscribe: (nodeId, notices) =>
      right.subscribe(nodeId, {
        changed: (...told) => {
          if (isTold(right, nodeId, told[0])) notices.changed(...told);
        },
        listed: (...told) => notices.listed(...told),
        gap: () => notices.gap(),
        lost: () => notices.lost(),
        orphaned: (...told) => notices.orphaned(...told),
      }),
  }));
}

function hasRun(right: Right, nodeId: string, sessionKey: string): boolean {
  return right.readActive().some((run) => run.nodeId === nodeId && run.sessionKey === sessionKey);
}

function hasAnything(right: Right, nodeId: string, sessionKey: string): boolean {
  return right.readNode(nodeId).some((record) => record.sessionKey === sessionKey);
}

export const NOTICES: readonly WrongBackend[] = [
  { wrong: 'tells no one anything', noticed: 'notice-of-stop', make: filtering(() => false) },
  { wrong: 'tells only nodes that have a run there', noticed: 'notice-of-token', make: filtering(hasRun) },
  { wrong: 'does not tell a node that was told busy', noticed: 'notice-after-busy', make: filtering(hasAnything) },
  { wrong: 'does not tell a node that watches a session', noticed: 'watch-session', make: filtering(hasAnything) },
  { wrong: 'does not tell a node that watches a run', noticed: 'watch-run', make: filtering(hasAnything) },
  {
    wrong: 'does not tell a node of what it has read',
    noticed: 'notice-after-read',
    make: over((right) => {
      const read = new Map<string, number>();
      const noted = <T>(nodeId: string, sessionKey: string, answer: T): T => {
        read.set(`${nodeId} ${sessionKey}`, right.readSession({ sessionKey, nodeId, watch: false }).version);
        return answer;
      };
      return {
        readRun: (request) => noted(request.nodeId, request.sessionKey ?? '', right.readRun(request)),
        subscribe: (nodeId, notices) =>
          right.subscribe(nodeId, {
            ...bound(notices),
            changed: (key, version, ...told) => {
              setImmediate(() => {
                if ((read.get(`${nodeId} ${key}`) ?? 0) < version) notices.changed(key, version, ...told);
              });
            },
          }),
      };
    }),
  },
  {
    wrong: 'does not tell of the list',
    noticed: 'notice-of-list',
    make: over((right) => ({
      subscribe: (nodeId, notices) => right.subscribe(nodeId, { ...bound(notices), listed: () => {} }),
    })),
  },
  {
    wrong: 'tells of a version that is not there yet',
    noticed: 'notice-after-change',
    make: over((right) => ({
      subscribe: (nodeId, notices) =>
        right.subscribe(nodeId, {
          ...bound(notices),
          changed: (key, version) => notices.changed(key, version + 1_000),
        }),
    })),
  },
  {
    wrong: 'goes on telling after the remover was called',
    noticed: 'notice-removed',
    make: over((right) => ({
      subscribe: (nodeId, notices) => {
        right.subscribe(nodeId, notices);
        return () => {};
      },
    })),
  },
  {
    wrong: 'has one subscription, and forgets it for the next',
    noticed: 'two-subscriptions',
    make: over((right) => {
      let removeLast = (): void => {};
      return {
        subscribe: (nodeId, notices) => {
          removeLast();
          removeLast = right.subscribe(nodeId, notices);
          return removeLast;
        },
      };
    }),
  },
  {
    wrong: 'removes by node, whichever subscription it is',
    noticed: 'subscribed-again',
    make: over((right) => {
      const removers = new Map<string, () => void>();
      return {
        subscribe: (nodeId, notices) => {
          removers.set(nodeId, right.subscribe(nodeId, notices));
          return () => removers.get(nodeId)?.();
        },
      };
    }),
  },
  {
    wrong: 'serves no one any more once one control has closed it',
    noticed: 'close-twice',
    make: over((right) => {
      const removers: (() => void)[] = [];
      return {
        subscribe: (nodeId, notices) => {
          const remove = right.subscribe(nodeId, notices);
          removers.push(remove);
          return remove;
        },
        close: () => {
          for (const remove of removers) remove();
        },
      };
    }),
  },
];

function bound(notices: Notices): Notices {
  return {
    changed: (...told) => notices.changed(...told),
    listed: (...told) => notices.listed(...told),
    gap: () => notices.gap(),
    lost: () => notices.lost(),
    orphaned: (...told) => notices.orphaned(...told),
  };
}
