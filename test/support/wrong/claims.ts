import { isA, over, recording, type WrongBackend } from './over.js';

export const CLAIMS: readonly WrongBackend[] = [
  {
    wrong: 'keeps run ids apart by session only',
    noticed: 'id-taken-everywhere',
    make: over((right) => ({
      claim: (request) => right.claim({ ...request, runId: `${request.sessionKey}/${request.runId}` }),
    })),
  },
  {
    wrong: 'answers a duplicate as busy',
    noticed: 'duplicate-is-first',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        if (!isA(answer, 'duplicate')) return answer;
        const snapshot = right.readSession({ ...request, watch: false });
        return { kind: 'busy', snapshot, version: answer.version, now: 0, listNow: 0 };
      },
    })),
  },
  {
    wrong: 'lists no owner with the run that is in the way',
    noticed: 'busy',
    make: over((right) =>
      recording(right, (record) => ({ ...record, runs: record.runs.map((run) => ({ ...run, owner: undefined })) })),
    ),
  },
  {
    wrong: 'grants a probe',
    noticed: 'probe',
    make: over((right) => ({
      claim: (request) => right.claim({ ...request, mode: request.mode === 'probe' ? 'concurrent' : request.mode }),
    })),
  },
  {
    wrong: 'marks what a claim replaces although it is busy',
    noticed: 'busy-marks-nothing',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        if (!isA(answer, 'busy')) return answer;
        const { sessionKey, nodeId, replaces: runs } = request;
        const mark = { attempt: -request.attempt, select: undefined, record: undefined, number: undefined, named: [] };
        right.stop({ sessionKey, nodeId, seen: 0, ...mark, reason: 'superseded', runs });
        const snapshot = right.readSession({ sessionKey, nodeId, watch: false });
        return { ...answer, snapshot, version: snapshot.version };
      },
    })),
  },
  {
    wrong: 'marks what a claim replaces before it looks for quiet',
    noticed: 'not-quiet-marks-nothing',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        if (!isA(answer, 'not-quiet')) return answer;
        const { sessionKey, nodeId, replaces: runs } = request;
        const mark = { attempt: -request.attempt, select: undefined, record: undefined, number: undefined, named: [] };
        right.stop({ sessionKey, nodeId, seen: 0, ...mark, reason: 'superseded', runs });
        return right.claim(request);
      },
    })),
  },
  {
    wrong: 'marks what a duplicate would replace',
    noticed: 'refused-marks-nothing',
    make: over((right) => ({
      claim: (request) => {
        const { sessionKey, nodeId, replaces: runs } = request;
        const mark = { attempt: -request.attempt, select: undefined, record: undefined, number: undefined, named: [] };
        right.stop({ sessionKey, nodeId, seen: 0, ...mark, reason: 'superseded', runs });
        return right.claim(request);
      },
    })),
  },
  {
    wrong: 'does not say who took over',
    noticed: 'takeover',
    make: over((right) =>
      recording(right, (record) => ({
        ...record,
        runs: record.runs.map((run) => ({ ...run, supersededBy: undefined })),
      })),
    ),
  },
  {
    wrong: 'takes over by run id, whatever the generation',
    noticed: 'takeover-by-identity',
    make: over((right) => ({
      claim: (request) => {
        const replaces = request.replaces.map((one) => {
          const run = right.readRun({ ...request, runId: one.runId, watch: false });
          return { ...one, generation: run?.generation ?? one.generation };
        });
        return right.claim({ ...request, replaces });
      },
    })),
  },
  {
    wrong: 'is busy before it is stopped',
    noticed: 'checks-in-order',
    make: over((right) => ({
      claim: (request) => {
        const blind = { ...request, judged: Number.MAX_SAFE_INTEGER, mode: 'probe' } as const;
        const probed = right.claim(blind);
        const isBusy = isA(probed, 'busy') && probed.snapshot.runs.length > 0 && request.mode === 'exclusive';
        return isBusy && request.replaces.length === 0 ? probed : right.claim(request);
      },
    })),
  },
  {
    wrong: 'does not wait for quiet',
    noticed: 'stopping-beside',
    make: over((right) => ({ claim: (request) => right.claim({ ...request, whenQuiet: false }) })),
  },
  {
    wrong: 'repeats a run whatever generation is to be repeated',
    noticed: 'repeat',
    make: over((right) => ({
      claim: (request) => {
        if (request.repeats === undefined) return right.claim(request);
        const run = right.readRun({ ...request, watch: false });
        return right.claim({ ...request, repeats: run?.generation });
      },
    })),
  },
  {
    wrong: 'keeps everything for ever',
    noticed: 'retained-is-duplicate',
    make: over((right) => ({ end: (request) => right.end({ ...request, retain: true }) })),
  },
];
