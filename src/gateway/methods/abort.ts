import { z } from 'zod';
import type { Selector } from '../../index.js';
import { sessionsNamed } from '../../transport/index.js';
import type { AbortAnswer, ChatAbortParams, SessionsAbortParams } from '../api/stops.js';
import type { Call } from '../context.js';
import { GatewayError } from '../gateway-error.js';
import { sessionFor } from '../sessions.js';
import { owner, runId } from './fields.js';
import { type Method, method, type Overtaking } from './method.js';

const which = { runId: runId.optional(), runIds: z.array(runId).max(1_000).optional(), owner: owner.optional() };
const chatParams: z.ZodType<ChatAbortParams> = z.object({ sessionKey: z.string(), ...which });
const sessionParams: z.ZodType<SessionsAbortParams> = z.object({
  key: z.string(),
  ...which,
  queued: z.enum(['drop', 'keep']).optional(),
});

/** `chat.abort`. */
export const chatAbort: Method = method(
  chatParams,
  (call, { sessionKey: key, ...rest }) => abortSession(call, { key, ...rest }),
  { isUrgent: true, overtakes: ({ sessionKey: key, ...rest }) => overtaking({ key, ...rest }) },
);

/** `sessions.abort`. */
export const sessionsAbort: Method = method(sessionParams, abortSession, { isUrgent: true, overtakes: overtaking });

/** A stop of one run, of somebody else's session, or that keeps what waits leaves the earlier frames alone. */
function overtaking({ key, runId, runIds, owner, queued }: SessionsAbortParams): Overtaking | undefined {
  return runId === undefined && runIds === undefined && owner === undefined && queued !== 'keep' ? { key } : undefined;
}

async function abortSession(call: Call, asked: SessionsAbortParams): Promise<AbortAnswer> {
  const { context, caller } = call;
  const { key, runId, owner, queued, runIds = runId === undefined ? undefined : [runId] } = asked;
  const own = sessionFor(context, caller, key, owner);
  // In the tick of the call, wherever it is known which session is meant.
  const sessionKey = caller.isAdmin && owner === undefined ? await sessionOfAnybody(call, asked, own) : own;
  if (runIds === undefined) return stop(call, { sessionKey }, queued);
  // All cuts in one tick.
  const stops = await Promise.all(runIds.map((id) => stop(call, { sessionKey, runId: id }, queued)));
  return { ok: true, aborted: stops.some(({ aborted }) => aborted), runIds: stops.flatMap((one) => one.runIds) };
}

/** For an admin: that of whoever has one with this key. */
async function sessionOfAnybody(
  { context, caller }: Call,
  { key, runId }: SessionsAbortParams,
  own: string,
): Promise<string> {
  const active = await context.control.sessions.active({ requester: caller.requester });
  const [session, ...others] = sessionsNamed(context.options, active, { key, runId });
  if (others.length === 0) return session ?? own;
  throw new GatewayError('session_ambiguous', 'Several users have a session of this key: say whose with owner.');
}

/** Stops what the caller may stop. The cut is made in the tick of the call. */
export async function stop(
  call: Call,
  selector: Selector & { readonly sessionKey: string },
  queued?: 'drop' | 'keep',
): Promise<AbortAnswer> {
  const { context, caller } = call;
  const { hidden, revealForbidden } = context.options;
  // What was stopped before is not what this one has stopped.
  const before = new Set(context.control.runs.session(selector.sessionKey).stoppingRunIds);
  const receipt = await context.control.abort(selector, {
    requester: caller.requester,
    reason: 'user',
    ...(queued === undefined ? {} : { queued }),
  });
  if (receipt.result === 'forbidden' && revealForbidden === true) {
    throw new GatewayError('forbidden', 'This is not yours to stop.');
  }
  if (receipt.result !== 'aborted') return { ok: true, aborted: call.hasEnded, runIds: [] };
  const isShown = (id: string): boolean => {
    const view = hidden === undefined ? undefined : context.control.runs.get(id);
    return view === undefined || hidden?.(view) !== true;
  };
  const waiting = new Set(receipt.queuedRunIds);
  const running = receipt.runIds.filter((id) => !waiting.has(id) && !before.has(id));
  return { ok: true, aborted: true, runIds: [...receipt.queuedRunIds, ...running].filter(isShown) };
}
