import type { AbortReason } from 'runfence';
import type { StoredRun } from 'runfence/backend';
import { isA, over, recording, type WrongBackend } from './over.js';

export const RESULTS: readonly WrongBackend[] = [
  {
    wrong: 'lets a completion write over a stop',
    noticed: 'end-after-stop',
    make: over((right) => ({
      end: (request) => {
        const answer = right.end(request);
        if (!isA(answer, 'stopping')) return answer;
        const ended = right.end({ ...request, status: 'aborted' });
        return { ...ended, kind: 'ended', run: { ...answer.run, status: request.status } };
      },
    })),
  },
  {
    wrong: 'lets the second end write over the first',
    noticed: 'end-after-end',
    make: over((right) => ({
      end: (request) => {
        const answer = right.end(request);
        return isA(answer, 'ended') && answer.run !== undefined
          ? { ...answer, run: { ...answer.run, status: request.status } }
          : answer;
      },
    })),
  },
  {
    wrong: 'lets a stop write over an end',
    noticed: 'stop-after-end',
    make: over((right) => ({
      stop: (request) => {
        const answer = right.stop(request);
        return {
          ...answer,
          runs: answer.runs.map((one) => (one.found === 'ended' ? { ...one, found: 'stopped' } : one)),
        };
      },
    })),
  },
  {
    wrong: 'lets the end of a stopped run write over the reason',
    noticed: 'end-of-stopped',
    make: over((right) => ({
      end: (request) => {
        const answer = right.end(request);
        const { reason } = request;
        return isA(answer, 'ended') && answer.run !== undefined && reason !== undefined
          ? { ...answer, run: { ...answer.run, reason } }
          : answer;
      },
    })),
  },
  {
    wrong: 'takes the last reason of a run that was stopped twice',
    noticed: 'first-reason',
    make: over((right) => {
      const reasons = new Map<string, AbortReason>();
      const later = (run: StoredRun): StoredRun => ({ ...run, reason: reasons.get(run.runId) ?? run.reason });
      return {
        ...recording(right, (record) => ({ ...record, runs: record.runs.map(later) })),
        stop: (request) => {
          for (const { runId } of request.runs) reasons.set(runId, request.reason);
          return right.stop(request);
        },
        readRun: (request) => {
          const run = right.readRun(request);
          return run && later(run);
        },
      };
    }),
  },
  {
    wrong: 'does not say the outcome of a run that it does not retain',
    noticed: 'end-not-retained',
    make: over((right) => ({
      end: (request) => {
        const answer = right.end(request);
        return isA(answer, 'ended') && !request.retain ? { ...answer, run: undefined } : answer;
      },
    })),
  },
  {
    wrong: 'ends by run id, whatever the generation',
    noticed: 'end-by-generation',
    make: over((right) => ({
      end: (request) => {
        const run = right.readRun({ ...request, watch: false });
        return right.end({ ...request, generation: run?.generation ?? request.generation });
      },
    })),
  },
  {
    wrong: 'loses the report of an end',
    noticed: 'report-with-end',
    make: over((right) => ({ end: (request) => right.end({ ...request, report: undefined }) })),
  },
  {
    wrong: 'loses the report of a run that is stopping',
    noticed: 'report-in-between',
    make: over((right) => ({ announce: (request) => right.announce({ ...request, report: undefined }) })),
  },
  {
    wrong: 'drops a grant with its run',
    noticed: 'grant-outlives-run',
    make: over((right) => ({
      end: (request) => {
        const answer = right.end(request);
        const { holder } = right.readSession({ ...request, watch: false });
        if (holder?.runId === request.runId) right.unlock({ ...request, token: holder.token });
        return answer;
      },
    })),
  },
];
