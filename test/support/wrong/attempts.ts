import type { StopAnswer } from 'runfence/backend';
import { isA, over, type WrongBackend } from './over.js';

/** A number that no attempt has. */
function fresh(): () => number {
  let last = 1_000_000;
  return () => {
    last += 1;
    return last;
  };
}

export const ATTEMPTS: readonly WrongBackend[] = [
  {
    wrong: 'takes a claim that is sent again for a duplicate',
    noticed: 'claim-twice',
    make: over((right) => {
      const next = fresh();
      return { claim: (request) => right.claim({ ...request, attempt: next() }) };
    }),
  },
  {
    wrong: 'starts a stopped run again when its claim is sent again',
    noticed: 'claim-twice-stopped',
    make: over((right) => ({
      claim: (request) => {
        const run = right.readRun({ ...request, watch: false });
        if (run?.status === 'stopping') right.end({ ...request, ...run, status: 'aborted', retain: false });
        return right.claim(request);
      },
    })),
  },
  {
    wrong: 'does not know its own grant when the question is sent again',
    noticed: 'lock-twice',
    make: over((right) => {
      const next = fresh();
      return { lock: (request) => right.lock({ ...request, attempt: next() }) };
    }),
  },
  {
    wrong: 'says that an epilogue is too late when its question is sent again',
    noticed: 'epilogue-lock-twice',
    make: over((right) => {
      const next = fresh();
      return {
        lock: (request) => right.lock(request.reserved === undefined ? request : { ...request, attempt: next() }),
      };
    }),
  },
  {
    wrong: 'takes a stop that is sent again for a new one',
    noticed: 'stop-twice',
    make: over((right) => {
      const next = fresh();
      return { stop: (request) => right.stop({ ...request, attempt: next() }) };
    }),
  },
  {
    wrong: 'takes a stop by selector that is not kept for a new one when it is sent again',
    noticed: 'select-twice',
    make: over((right) => {
      const next = fresh();
      return {
        stop: (request) => right.stop(request.record === undefined ? { ...request, attempt: next() } : request),
      };
    }),
  },
  {
    wrong: 'takes equal attempts of two nodes for one',
    noticed: 'attempts-apart',
    make: over((right) => {
      const answers = new Map<number, StopAnswer>();
      return {
        stop: (request) => {
          const answer = answers.get(request.attempt) ?? right.stop(request);
          answers.set(request.attempt, answer);
          return answer;
        },
      };
    }),
  },
  {
    wrong: 'hits what was begun after a stop that is sent again after a failover',
    noticed: 'stop-resent',
    make: over((right) => ({ stop: (request) => right.stop({ ...request, number: undefined }) })),
  },
  {
    wrong: 'looks at no name when a stop is sent again after a failover',
    noticed: 'named',
    make: over((right) => ({ stop: (request) => right.stop({ ...request, named: [] }) })),
  },
  {
    wrong: 'lists a stop of all twice when it is sent again',
    noticed: 'list-twice',
    make: over((right) => {
      const next = fresh();
      return { stopEverywhere: (request) => right.stopEverywhere({ ...request, attempt: next() }) };
    }),
  },
  {
    wrong: 'names no epilogue when a takeover is sent again',
    noticed: 'takeover-twice',
    make: over((right) => {
      const granted = new Set<string>();
      return {
        claim: (request) => {
          const answer = right.claim(request);
          if (!isA(answer, 'granted')) return answer;
          const isAgain = granted.has(request.runId);
          granted.add(request.runId);
          return isAgain ? { ...answer, epilogues: [] } : answer;
        },
      };
    }),
  },
];
