import { z } from 'zod';
import type { RunView } from '../../index.js';
import { inSession, mapKey, ownerFor, sessionsOf } from '../../transport/index.js';
import type {
  After,
  ListedRun,
  ListedSession,
  ListParams,
  SessionAnswer,
  SessionParams,
  Subscribed,
  SubscribeParams,
} from '../api/sessions.js';
import type { Call } from '../context.js';
import { sessionFor } from '../sessions.js';
import { owner } from './fields.js';
import { type Method, method } from './method.js';

const key = z.string();
const number = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const after: z.ZodType<After> = z.union([number, z.object({ generation: number, seq: number })]);
const listParams: z.ZodType<ListParams> = z.object({ includeFinished: z.boolean().optional() });
const sessionParams: z.ZodType<SessionParams> = z.object({ key, owner: owner.optional() });
const subscribeParams: z.ZodType<SubscribeParams> = z.object({
  key,
  owner: owner.optional(),
  after: z.record(z.string(), after).optional(),
});

/** `sessions.list`: of all nodes; what is over is known to this one. */
export const listSessions: Method = method(listParams, async (call, { includeFinished = false }) => {
  const { context, caller } = call;
  const { control, hub, options } = context;
  // Asked first: a run that starts meanwhile is among those that are active.
  const stored = includeFinished ? await storedSessions(call) : new Map<string, ListedSession>();
  const active = await control.sessions.active({ requester: caller.requester });
  // As they are by now: whoever has heard of a change in the meantime must not see what was before it.
  const now = active.flatMap((run) => {
    const here = control.runs.get(run.runId, { requester: caller.requester });
    return here === undefined || here.generation < run.generation ? [run] : [here];
  });
  const finished = includeFinished ? hub.finished.list({ requester: caller.requester }) : [];
  const runs = new Map(now.filter(({ status }) => LIVE.includes(status)).map((run) => [run.runId, run]));
  const over = includeFinished ? [...now.filter(({ runId }) => !runs.has(runId)), ...finished] : [];
  for (const run of over) if (!runs.has(run.runId)) runs.set(run.runId, run);
  const shown = [...runs.values()].filter((run) => options.hidden?.(run) !== true);
  for (const { sessionKey } of shown) stored.delete(sessionKey);
  const sessions: ListedSession[] = sessionsOf(options, caller, shown, listed);
  return { sessions: [...stored.values(), ...sessions] };
});

/** Those that the host keeps, by the session's own key. One that it does not let its owner name is not there. */
async function storedSessions({ context, caller }: Call): Promise<Map<string, ListedSession>> {
  const { options } = context;
  const { principal, isAdmin: admin } = caller;
  const sessions = new Map<string, ListedSession>();
  for (const { key, owner } of (await options.stored?.({ principal, admin })) ?? []) {
    const whose = (admin ? owner : undefined) ?? principal;
    const mapped = mapKey(options, whose, key);
    if (typeof mapped === 'string') continue;
    sessions.set(mapped.sessionKey, { key, ...ownerFor(caller, whose), hasActiveRun: false, runs: [] });
  }
  return sessions;
}

const LIVE: readonly string[] = ['queued', 'running', 'stopping'];

function listed(run: RunView): ListedRun {
  const { status, ...rest } = inSession(run);
  return { ...rest, status: status === 'failed' ? 'error' : status };
}

/** `sessions.get`. */
export const getSession: Method = method(sessionParams, async (call, asked): Promise<SessionAnswer> => {
  const { context, caller } = call;
  const sessionKey = sessionFor(context, caller, asked.key, asked.owner);
  const read = await context.runner.messages(sessionKey, { requester: caller.requester });
  const { hidden } = context.options;
  const active = read.active.filter(({ runId }) => {
    const view = hidden === undefined ? undefined : context.control.runs.get(runId);
    return view === undefined || hidden?.(view) !== true;
  });
  return {
    key: asked.key,
    messages: read.messages.map(({ native: _, ...message }) => message),
    active,
    approvals: read.approvals,
  };
});

/** `sessions.subscribe`: what its runs say follows the answer. */
export const subscribe: Method = method(subscribeParams, (call, asked): Subscribed => {
  const { context, caller, connection } = call;
  const { control, options } = context;
  const sessionKey = sessionFor(context, caller, asked.key, asked.owner);
  const subscription = connection.subscriptions.of(sessionKey, asked.key);
  subscription.isAsked = true;
  subscription.hold();
  call.afterwards(() => subscription.release());
  const runs = control.runs
    .list({ requester: caller.requester })
    .filter((run) => run.sessionKey === sessionKey && options.hidden?.(run) !== true);
  const places = new Map(Object.entries(asked.after ?? {}));
  for (const { runId, status } of runs) {
    // What was stopped before is told only to who has followed it.
    if (status !== 'stopping' || places.has(runId)) subscription.follow(runId, places.get(runId));
  }
  // Those that have ended meanwhile: their rest, and their end.
  for (const [runId, place] of places) subscription.follow(runId, place);
  return { key: asked.key, runs: runs.map(listed) };
});

/** `sessions.unsubscribe`. */
export const unsubscribe: Method = method(sessionParams, ({ context, caller, connection }, asked) => {
  return { unsubscribed: connection.subscriptions.remove(sessionFor(context, caller, asked.key, asked.owner)) };
});
