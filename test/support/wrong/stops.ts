import type { StopRequest } from 'runfence/backend';
import { over, type Right, recording, type WrongBackend } from './over.js';

export const STOPS: readonly WrongBackend[] = [
  {
    wrong: 'says that a stopped run is current',
    noticed: 'current',
    make: over((right) => ({
      check: ({ sessionKey, run }) =>
        run !== undefined && right.readRun({ sessionKey, runId: run.runId, nodeId: '', watch: false }) !== undefined,
    })),
  },
  {
    wrong: 'does not show in the record that a run is stopping',
    noticed: 'stop-in-record',
    make: over((right) =>
      recording(right, (record) => ({ ...record, runs: record.runs.filter(({ status }) => status === 'running') })),
    ),
  },
  {
    wrong: 'says of every run that it has stopped it',
    noticed: 'stop-found',
    make: over((right) => ({
      stop: (request) => {
        const answer = right.stop(request);
        return { ...answer, runs: answer.runs.map((one) => ({ ...one, found: 'stopped' })) };
      },
    })),
  },
  {
    wrong: 'stops by run id, whatever the generation',
    noticed: 'stop-by-generation',
    make: over((right) => ({ stop: (request) => right.stop({ ...request, runs: current(right, request) }) })),
  },
  {
    wrong: 'looks at no owner when it selects',
    noticed: 'select',
    make: over((right) => ({
      stop: (request) => {
        if (request.select === undefined) return right.stop(request);
        const { owner: _, ...select } = request.select;
        return right.stop({ ...request, select });
      },
    })),
  },
  {
    wrong: 'looks at no generation when it selects',
    noticed: 'select-by-generation',
    make: over((right) => ({
      stop: (request) => {
        if (request.select === undefined) return right.stop(request);
        const { generation: _, ...select } = request.select;
        return right.stop({ ...request, select });
      },
    })),
  },
  {
    wrong: 'marks only what is selected when runs are listed besides',
    noticed: 'select-beside-listed',
    make: over((right) => ({
      stop: (request) => right.stop(request.select === undefined ? request : { ...request, runs: [] }),
    })),
  },
  {
    wrong: 'revokes no grant with a stop',
    noticed: 'revoke',
    make: over((right) => ({
      stop: (request) => right.stop({ ...request, runs: request.runs.map((one) => ({ ...one, revoke: undefined })) }),
    })),
  },
  {
    wrong: 'loses a stop that is to be kept',
    noticed: 'kept',
    make: over((right) => ({
      stop: (request) => {
        const answer = right.stop(request);
        const { number } = answer;
        if (number !== undefined) right.forget({ sessionKey: request.sessionKey, stop: number });
        return { ...answer, snapshot: right.readSession({ ...request, watch: false }), version: answer.version };
      },
    })),
  },
  {
    wrong: 'keeps a stop that is not to be kept',
    noticed: 'not-kept',
    make: over((right) => ({
      stop: (request) => {
        const { sessionKey } = request;
        const record = request.record ?? { selector: { sessionKey }, requester: undefined, intent: false };
        return right.stop({ ...request, record });
      },
    })),
  },
  {
    wrong: 'does not say what a kept stop has marked',
    noticed: 'marked',
    make: over((right) =>
      recording(right, (record) => ({ ...record, stops: record.stops.map((stop) => ({ ...stop, marked: [] })) })),
    ),
  },
  {
    wrong: 'holds a stop against runs that were no candidates when it came',
    noticed: 'since',
    make: over((right) => ({ claim: (request) => right.claim({ ...request, since: request.since ?? 0 }) })),
  },
  {
    wrong: 'holds a stop against every candidate, whatever its number',
    noticed: 'since-of-queued',
    make: over((right) => ({
      claim: (request) => right.claim({ ...request, since: request.since === undefined ? undefined : 0 }),
    })),
  },
  {
    wrong: 'asks again about stops that were judged',
    noticed: 'since',
    make: over((right) => ({ claim: (request) => right.claim({ ...request, judged: 0 }) })),
  },
  {
    wrong: 'answers with a counter that a stop may still reach',
    noticed: 'now',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        return 'now' in answer ? { ...answer, now: answer.now - 1 } : answer;
      },
    })),
  },
  {
    wrong: 'applies an intent to every run of the session',
    noticed: 'intent',
    make: over((right) => ({
      stop: (request) =>
        right.stop(
          request.record?.intent === true ? { ...request, record: { ...request.record, intent: false } } : request,
        ),
    })),
  },
  {
    wrong: 'forgets all stops of a session with one',
    noticed: 'forget-stop',
    make: over((right) => ({
      forget: (request) => {
        if (!('stop' in request)) return right.forget(request);
        const { sessionKey } = request;
        const { stops } = right.readSession({ sessionKey, nodeId: '', watch: false });
        for (const { number } of stops) right.forget({ sessionKey, stop: number });
      },
    })),
  },
  {
    wrong: 'forgets that an administrator asked',
    noticed: 'requester',
    make: over((right) => ({
      stop: (request) => right.stop({ ...request, record: request.record && asJson(request.record) }),
    })),
  },
];

function current(right: Right, { sessionKey, nodeId, runs }: StopRequest): StopRequest['runs'] {
  return runs.map((one) => {
    const run = right.readRun({ sessionKey, nodeId, runId: one.runId, watch: false });
    return { ...one, generation: run?.generation ?? one.generation };
  });
}

/** JSON drops a symbol. */
export function asJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
