import { type Backend, memory } from 'runfence/backend';
import { isA, type Made, over, type Right, recording, saying, type WrongBackend } from './over.js';

export const NUMBERS: readonly WrongBackend[] = [
  {
    wrong: 'hands out one number twice',
    noticed: 'generation-rises',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        return isA(answer, 'granted')
          ? { ...answer, generation: answer.generation - (answer.generation > 1 ? 1 : 0) }
          : answer;
      },
    })),
  },
  { wrong: 'begins anew with a session that is forgotten', noticed: 'forgotten-goes-on', make: freshSessions },
  {
    wrong: 'takes keys that differ in case for one',
    noticed: 'keys-apart',
    make: over((right) => ({
      claim: (request) => right.claim({ ...request, sessionKey: request.sessionKey.toLowerCase() }),
    })),
  },
  {
    wrong: 'moves no version when it marks a run',
    noticed: 'version-moves',
    make: over((right) => {
      const silent = new Map<string, number>();
      const quiet = saying(right, (answer, { sessionKey }) => {
        const version = answer.version - (silent.get(sessionKey) ?? 0);
        return { ...answer, version, snapshot: answer.snapshot && { ...answer.snapshot, version } };
      });
      return {
        ...quiet,
        stop: (request) => {
          const answer = quiet.stop?.(request) ?? right.stop(request);
          if (request.record === undefined) silent.set(request.sessionKey, (silent.get(request.sessionKey) ?? 0) + 1);
          return answer;
        },
      };
    }),
  },
  {
    wrong: 'moves the version of a record by a claim that it refuses',
    noticed: 'version-stays',
    make: over((right) => {
      let refused = 0;
      return saying(right, (answer) => {
        if ('kind' in answer && answer.kind === 'busy') refused += 1;
        const version = answer.version + refused;
        return { ...answer, version, snapshot: answer.snapshot && { ...answer.snapshot, version } };
      });
    }),
  },
  {
    wrong: 'says that a record which is not there is at 0',
    noticed: 'version-of-absent',
    make: over((right) =>
      recording(right, (record) => {
        const isThere =
          record.runs.length + record.stops.length + record.reserved.length > 0 || record.holder !== undefined;
        return isThere ? record : { ...record, version: 0 };
      }),
    ),
  },
  {
    wrong: 'moves the version of every record by a stop of all',
    noticed: 'version-of-others',
    make: over((right) =>
      recording(right, (record) => ({ ...record, version: record.version + right.readStops().version })),
    ),
  },
  {
    wrong: 'leaves the record out of its answers whatever the node has seen',
    noticed: 'record-unless-seen',
    make: over((right) => ({
      ...saying(right, (answer) =>
        'kind' in answer && answer.kind === 'busy' ? answer : { ...answer, snapshot: undefined },
      ),
      readSession: right.readSession.bind(right),
    })),
  },
  {
    wrong: 'answers with the record as it was before the operation',
    noticed: 'record-of-answer',
    make: over((right) => ({
      stop: (request) => {
        const before = right.readSession({ ...request, watch: false });
        const answer = right.stop(request);
        return { ...answer, snapshot: { ...before, version: answer.version } };
      },
    })),
  },
  {
    wrong: 'leaves the record out of a busy answer',
    noticed: 'record-when-busy',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        const isSeen = isA(answer, 'busy') && request.seen === answer.version;
        return isSeen ? { ...answer, snapshot: undefined as never } : answer;
      },
    })),
  },
];

/** Each session has a counter of its own, which goes with it. */
function freshSessions(): Made {
  const sessions = new Map<string, Right>();
  const of = (sessionKey: string): Right => {
    const known = sessions.get(sessionKey);
    const state = known?.state();
    const isLeft = state !== undefined && state.runs.length + state.sessions.length > 0;
    const session = known !== undefined && isLeft ? known : (memory() as Right);
    sessions.set(sessionKey, session);
    return session;
  };
  const [any] = [memory() as Right];
  const backend: Backend = {
    scope: 'process',
    synchronous: true,
    claim: (request) => of(request.sessionKey).claim(request),
    stop: (request) => of(request.sessionKey).stop(request),
    stopEverywhere: (request) => any.stopEverywhere(request),
    end: (request) => of(request.sessionKey).end(request),
    announce: (request) => of(request.sessionKey).announce(request),
    lock: (request) => of(request.sessionKey).lock(request),
    unlock: (request) => of(request.sessionKey).unlock(request),
    check: (request) => of(request.sessionKey).check(request),
    readSession: (request) => of(request.sessionKey).readSession(request),
    readRun: (request) => of(request.sessionKey ?? '').readRun(request),
    readNode: (nodeId) => any.readNode(nodeId),
    readActive: () => any.readActive(),
    readStops: () => any.readStops(),
    forget: (request) => ('listed' in request ? any : of(request.sessionKey)).forget(request),
    subscribe: () => () => {},
    close: () => {},
  };
  return { backend, endLease: () => {} };
}
