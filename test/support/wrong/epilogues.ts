import { isA, over, type WrongBackend } from './over.js';

export const EPILOGUES: readonly WrongBackend[] = [
  {
    wrong: 'grants over a reservation',
    noticed: 'epilogue-first',
    make: over((right) => ({
      lock: (request) => {
        const answer = right.lock(request);
        return isA(answer, 'busy') && answer.holder === undefined ? { ...answer, kind: 'granted', token: 1 } : answer;
      },
    })),
  },
  {
    wrong: 'reserves another token each time it is asked',
    noticed: 'epilogue-once',
    make: over((right) => {
      let extra = 0;
      return {
        stop: (request) => {
          const answer = right.stop(request);
          extra += 1;
          return { ...answer, epilogues: answer.epilogues.map((one) => ({ ...one, token: one.token + extra })) };
        },
      };
    }),
  },
  {
    wrong: 'keeps the reservation of a run that has ended',
    noticed: 'epilogue-untaken',
    make: over((right) => ({
      end: (request) => {
        const run = right.readRun({ ...request, watch: false });
        const snapshot = right.readSession({ ...request, watch: false });
        return { kind: 'ended', run, version: snapshot.version, snapshot };
      },
    })),
  },
  {
    wrong: 'reserves nothing when another node stops the run',
    noticed: 'announced-in-time',
    make: over((right) => ({
      stop: (request) => {
        const answer = right.stop(request);
        for (const { runId, token } of answer.epilogues) {
          const run = right.readRun({ ...request, runId, watch: false });
          if (run?.nodeId !== request.nodeId) right.unlock({ ...request, token });
        }
        const snapshot = right.readSession({ ...request, watch: false });
        return { ...answer, epilogues: [], version: snapshot.version, snapshot };
      },
    })),
  },
  {
    wrong: 'reserves nothing when another node takes over',
    noticed: 'epilogue-from-elsewhere',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        if (!isA(answer, 'granted')) return answer;
        for (const { token } of answer.epilogues) right.unlock({ ...request, token });
        const snapshot = right.readSession({ ...request, watch: false });
        return { ...answer, version: snapshot.version, snapshot };
      },
    })),
  },
  {
    wrong: 'reserves no epilogue that is announced after the stop',
    noticed: 'announced-late',
    make: over((right) => ({
      announce: (request) => {
        const run = right.readRun({ ...request, watch: false });
        return right.announce(run?.status === 'stopping' ? { ...request, hasEpilogue: false } : request);
      },
    })),
  },
  {
    wrong: 'reserves an epilogue that is announced after a later grant',
    noticed: 'announced-too-late',
    make: over((right) => ({
      announce: (request) => {
        const answer = right.announce(request);
        return answer.epilogue === undefined ? { ...answer, epilogue: answer.version } : answer;
      },
    })),
  },
  {
    wrong: 'takes an epilogue back with a report',
    noticed: 'report-in-between',
    make: over((right) => ({
      announce: (request) => {
        const answer = right.announce(request);
        if (answer.epilogue !== undefined && !request.hasEpilogue) right.unlock({ ...request, token: answer.epilogue });
        return answer;
      },
      readSession: (request) => {
        const record = right.readSession(request);
        return { ...record, runs: record.runs.map((run) => ({ ...run, hasEpilogue: record.reserved.length > 0 })) };
      },
    })),
  },
  {
    wrong: 'grants epilogues in the order in which they ask',
    noticed: 'epilogue-order',
    make: over((right) => ({
      lock: (request) => {
        const { holder, reserved } = right.readSession({ ...request, watch: false });
        const [first] = reserved;
        const isSecond = holder === undefined && first !== undefined && reserved.length > 1;
        return right.lock(isSecond && request.reserved !== undefined ? { ...request, reserved: first.token } : request);
      },
    })),
  },
  {
    wrong: 'names no epilogue when it refuses an end',
    noticed: 'epilogue-refused-end',
    make: over((right) => ({
      end: (request) => {
        const answer = right.end(request);
        return isA(answer, 'stopping') ? { ...answer, epilogue: undefined } : answer;
      },
    })),
  },
  {
    wrong: 'drops an epilogue with the grant that a stop revokes',
    noticed: 'epilogue-token',
    make: over((right) => ({
      stop: (request) => {
        const answer = right.stop(request);
        const hasRevoked = request.runs.some(({ revoke }) => revoke !== undefined);
        if (hasRevoked) for (const { token } of answer.epilogues) right.unlock({ ...request, token });
        return answer;
      },
    })),
  },
];
