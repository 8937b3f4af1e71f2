import { isA, over, type WrongBackend } from './over.js';
import { asJson } from './stops.js';

export const LISTS: readonly WrongBackend[] = [
  {
    wrong: 'lists the newest stop of all first',
    noticed: 'list',
    make: over((right) => ({
      readStops: () => {
        const { version, stops } = right.readStops();
        return { version, stops: [...stops].reverse() };
      },
    })),
  },
  {
    wrong: 'marks the runs that a stop of all matches',
    noticed: 'list-marks-nothing',
    make: over((right) => ({
      stopEverywhere: (request) => {
        const rest = { runs: [], record: undefined, number: undefined, named: [], select: request.selector, seen: 0 };
        for (const { sessionKey } of right.readActive()) right.stop({ ...request, ...rest, sessionKey });
        return right.stopEverywhere(request);
      },
    })),
  },
  {
    wrong: 'forgets all stops of all with one',
    noticed: 'list-forgotten',
    make: over((right) => ({
      forget: (request) => {
        if (!('listed' in request)) return right.forget(request);
        for (const { number } of right.readStops().stops) right.forget({ listed: number });
      },
    })),
  },
  {
    wrong: 'goes back with the list’s version when a stop is forgotten',
    noticed: 'list-forgotten',
    make: over((right) => ({
      readStops: () => {
        const { stops } = right.readStops();
        return { version: stops.at(-1)?.number ?? 0, stops };
      },
    })),
  },
  {
    wrong: 'forgets that an administrator asked for a stop of all',
    noticed: 'list-requester',
    make: over((right) => ({ stopEverywhere: (request) => right.stopEverywhere(asJson(request)) })),
  },
  {
    wrong: 'takes a record’s version for the list’s counter',
    noticed: 'list-now',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        return 'listNow' in answer ? { ...answer, listNow: answer.version } : answer;
      },
    })),
  },
  {
    wrong: 'holds a run that was a candidate against the list since it began only',
    noticed: 'list-since',
    make: over((right) => ({ claim: (request) => right.claim({ ...request, listSince: undefined }) })),
  },
  {
    wrong: 'says another number of the list than the record has',
    noticed: 'list-since',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        return isA(answer, 'granted') ? { ...answer, listSince: 0 } : answer;
      },
    })),
  },
  {
    wrong: 'tells no claim of the intents of all',
    noticed: 'list-intent',
    make: over((right) => ({
      stopEverywhere: ({ intent: _, ...request }) => right.stopEverywhere(request),
    })),
  },
  {
    wrong: 'takes every stop of all that names a run for an intent',
    noticed: 'list-intent',
    make: over((right) => ({
      stopEverywhere: (request) => right.stopEverywhere({ ...request, intent: request.selector.runId !== undefined }),
    })),
  },
  {
    wrong: 'does not say in the list which stops are intents',
    noticed: 'list-intent',
    make: over((right) => ({
      readStops: () => {
        const { version, stops } = right.readStops();
        return { version, stops: stops.map(({ intent: _, ...stop }) => stop) };
      },
    })),
  },
  {
    wrong: 'asks again about intents of all that were judged',
    noticed: 'list-intent',
    make: over((right) => ({ claim: (request) => right.claim({ ...request, listJudged: 0 }) })),
  },
  {
    wrong: 'keeps telling of intents of all that are forgotten',
    noticed: 'list-intent-forgotten',
    make: over((right) => {
      const intents = new Set<number>();
      return {
        stopEverywhere: (request) => {
          const answer = right.stopEverywhere(request);
          if (request.intent === true) intents.add(answer.number);
          return answer;
        },
        forget: (request) => {
          if (!('listed' in request && intents.has(request.listed))) right.forget(request);
        },
      };
    }),
  },
  {
    wrong: 'gives a new number to a stop of all that a failover has lost',
    noticed: 'list-resent',
    make: over((right) => ({ stopEverywhere: (request) => right.stopEverywhere({ ...request, number: undefined }) })),
  },
];
