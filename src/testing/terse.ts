import type { Answered, Backend, RecordRequest, Snapshot } from '../backend/index.js';
import type { Awaitable } from '../index.js';

/**
 * Does an operation, and leaves the snapshot out of its answer if the port allows it: the record was at `seen` before,
 * and nothing was buried. How it was before can be read in the same step only from a backend that answers at once;
 * behind another one, the snapshot is left out of the answers that have changed nothing.
 */
export function tersely<Answer extends Answered>(
  over: Backend,
  request: RecordRequest,
  act: () => Awaitable<Answer>,
): Awaitable<Answer> {
  const { sessionKey, nodeId, seen } = request;
  const before = over.synchronous ? (over.readSession({ sessionKey, nodeId, watch: false }) as Snapshot) : undefined;
  const shorten = (answer: Answer): Answer => {
    const wasSeen = (before ?? answer).version === seen || (before !== undefined && seen === 0 && isAbsent(before));
    const mayBeLeftOut =
      wasSeen && !saysBusy(answer) && !(before !== undefined && mayHaveBuried(before, answer, nodeId));
    return mayBeLeftOut ? { ...answer, snapshot: undefined } : answer;
  };
  const answer = act();
  return isPromiseLike(answer) ? Promise.resolve(answer).then(shorten) : shorten(answer);
}

function saysBusy(answer: object): boolean {
  return 'kind' in answer && (answer.kind === 'busy' || answer.kind === 'not-quiet');
}

function isAbsent({ runs, holder, reserved, stops }: Snapshot): boolean {
  return runs.length === 0 && holder === undefined && reserved.length === 0 && stops.length === 0;
}

/** Only what another node had can have been buried, and only by a change. */
function mayHaveBuried(before: Snapshot, answer: Answered, nodeId: string): boolean {
  const parts = [...before.runs, ...before.reserved, ...(before.holder === undefined ? [] : [before.holder])];
  return answer.version !== before.version && parts.some((part) => part.nodeId !== nodeId);
}

function isPromiseLike<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T>).then === 'function';
}
