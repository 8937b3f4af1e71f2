import { z } from 'zod';
import type { Busy, SendResult } from '../../agent/index.js';
import type { SendAnswer, SendParams } from '../api/messages.js';
import type { AbortAnswer } from '../api/stops.js';
import type { Call } from '../context.js';
import { GatewayError, rejected } from '../gateway-error.js';
import { BUSY } from '../options.js';
import { sessionFor } from '../sessions.js';
import { stop } from './abort.js';
import { clientId } from './fields.js';
import { type Method, method } from './method.js';

const params: z.ZodType<SendParams> = z.object({
  sessionKey: z.string(),
  message: z.string().min(1),
  idempotencyKey: clientId,
  whenBusy: z.enum(BUSY).optional(),
});

/** `chat.send`, and `agent` for the other kind. */
export function sendMethod(kind: 'chat' | 'agent', isStopWord: (message: string) => boolean): Method {
  return method(
    params,
    (call, asked) => (isStopWord(asked.message) ? stopWord(call, asked) : send(call, kind, asked)),
    {
      overtakes: ({ message, sessionKey }) => (isStopWord(message) ? { key: sessionKey } : undefined),
      startsIn: ({ sessionKey }) => sessionKey,
    },
  );
}

/** What its sender may stop is stopped, and nothing is started. */
function stopWord(call: Call, { sessionKey }: SendParams): Promise<AbortAnswer> {
  return stop(call, { sessionKey: sessionFor(call.context, call.caller, sessionKey) });
}

/** The run is reserved in the tick of the call. */
async function send(call: Call, kind: 'chat' | 'agent', asked: SendParams): Promise<SendAnswer> {
  const { context, caller } = call;
  const { runner, options } = context;
  const { message, idempotencyKey, whenBusy = options.whenBusy } = asked;
  const sessionKey = sessionFor(context, caller, asked.sessionKey);
  const places = placesFor(call, whenBusy);
  const subscription = subscriptionFor(call, sessionKey, asked.sessionKey, places.giveBack);
  subscription.hold();
  call.afterwards(() => subscription.release());
  let sent: SendResult;
  try {
    sent = await runner.send({
      ...options.run,
      sessionKey,
      kind,
      owner: caller.principal,
      messages: message,
      messageId: idempotencyKey,
      ...(whenBusy === undefined ? {} : { whenBusy }),
    });
  } catch (error) {
    places.giveBack();
    throw error;
  }
  if (!('events' in sent)) {
    places.giveBack();
    if (sent.status === 'rejected') throw rejected(sent);
    throw new GatewayError('aborted', `It was stopped before it began (${sent.reason}).`);
  }
  const { runId, status } = sent;
  if (status === 'started' || status === 'queued') void sent.outcome.then(places.giveBack);
  else places.giveBack();
  if (status === 'queued') places.waits(runId, sent.outcome);
  else places.giveBackQueued();
  // A client that has left in the meantime counts as one that has watched: what becomes of the run is the runner's to say.
  if (call.signal.aborted) void sent.events({ requester: caller.requester })?.[Symbol.asyncIterator]().return?.();
  subscription.follow(runId);
  return { runId, status };
}

function subscriptionFor(call: Call, sessionKey: string, wireKey: string, giveBack: () => void) {
  try {
    return call.connection.subscriptions.of(sessionKey, wireKey);
  } catch (error) {
    giveBack();
    throw error;
  }
}

interface SendPlaces {
  /** All of them. */
  readonly giveBack: () => void;
  readonly giveBackQueued: () => void;
  /** It waits: its place among those that wait is given back when it starts, or is over. */
  readonly waits: (runId: string, over: Promise<unknown>) => void;
}

const WAITING: readonly (Busy | undefined)[] = ['enqueue', 'collect', 'steer'];

/** @throws `too_many_runs`, `too_many_queued` */
function placesFor({ context, caller }: Call, whenBusy: Busy | undefined): SendPlaces {
  const { runs, queued } = context.places;
  const run = runs.take(caller.principal);
  if (run === undefined) {
    throw new GatewayError('too_many_runs', 'You have as many runs as you may have: stop one, or wait for its end.');
  }
  const place = WAITING.includes(whenBusy) ? queued.take(caller.principal) : undefined;
  if (WAITING.includes(whenBusy) && place === undefined) {
    run();
    throw new GatewayError(
      'too_many_queued',
      'As many of your messages wait as may wait: stop one, or wait for its turn.',
    );
  }
  const giveBackQueued = (): void => place?.();
  return {
    giveBackQueued,
    giveBack: () => {
      run();
      giveBackQueued();
    },
    waits: (runId, over) => {
      const forget = context.hub.whenStarted(runId, () => {
        forget();
        giveBackQueued();
      });
      void over.then(forget);
    },
  };
}
