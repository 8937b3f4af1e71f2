import type { SendOptions, SendResult, Sent } from '../../agent/index.js';
import { HOST, RunAbortedError } from '../../index.js';
import { clientGone, errorOf, HttpError, NO_RETRY } from '../../transport/index.js';
import type { Call } from './context.js';
import { stopped } from './ending.js';
import { Viewer } from './viewer.js';

/** What a protocol says of a send. */
export type Said = Pick<SendOptions, 'messages' | 'messageId' | 'history' | 'replace' | 'runId' | 'fingerprint'> & {
  readonly sessionKey: string;
};

/**
 * Sends what a client says, and follows its run. A client that leaves before the run is admitted stops it, as one that
 * leaves later does.
 *
 * @throws what the client is answered instead
 */
export async function send(call: Call, said: Said): Promise<Viewer> {
  const { context, caller, request } = call;
  const { runner, options, places } = context;
  if (request.signal.aborted) throw clientGone();
  const giveBack = places.take(caller.principal);
  if (giveBack === undefined) {
    throw new HttpError(429, 'too_many_runs', 'You have as many runs as you may have: stop one, or wait for its end.');
  }
  const whenUnwatched = options.whenUnwatched ?? 'abort';
  const gone = new AbortController();
  const leave = (): void => gone.abort(new RunAbortedError('disconnect'));
  // Later it is a viewer's leaving, and others may be there.
  if (whenUnwatched === 'abort') request.signal.addEventListener('abort', leave, { once: true });
  let sent: SendResult;
  try {
    sent = await runner.send({
      ...options.run,
      ...said,
      owner: caller.principal,
      ...(options.whenBusy === undefined ? {} : { whenBusy: options.whenBusy }),
      whenUnwatched,
      signal: gone.signal,
    });
  } catch (error) {
    giveBack();
    throw error;
  } finally {
    request.signal.removeEventListener('abort', leave);
  }
  if (!('events' in sent)) {
    giveBack();
    throw answerOf(sent);
  }
  if (sent.status === 'started' || sent.status === 'queued') void sent.outcome.then(giveBack);
  else giveBack();
  return follow(call, sent);
}

function answerOf(sent: Exclude<SendResult, Sent>): HttpError {
  if (sent.status === 'rejected') return errorOf(sent);
  const { runId, reason } = sent;
  return stopped(runId, reason);
}

/** In the tick of the send's answer: from here on the client counts as one that watches. */
function follow({ context, caller, request }: Call, sent: Sent): Viewer {
  const { runId, status } = sent;
  const isOwn = status === 'started' || status === 'queued';
  try {
    const items = sent.events({ requester: caller.requester });
    if (items !== undefined) return new Viewer(runId, items, request);
  } catch (error) {
    if (isOwn) stop(context.control, runId);
    throw error;
  }
  if (isOwn) stop(context.control, runId);
  throw new HttpError(409, 'run_elsewhere', 'Another server has this run, and what it says is not known here.', {
    headers: { ...NO_RETRY, 'x-run-id': runId },
  });
}

/** Nobody would ever hear of it. */
function stop(control: Call['context']['control'], runId: string): void {
  control
    .abort({ runId }, { requester: HOST, reason: 'disconnect' })
    .catch((error) => control.onError(error, { sessionKey: undefined, runId }));
}
