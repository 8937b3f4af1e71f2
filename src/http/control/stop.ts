import { z } from 'zod';
import type { Receipt, Selector } from '../../index.js';
import {
  HttpError,
  jsonResponse,
  notFound,
  publicReceipt,
  publicReport,
  sessionsNamed,
} from '../../transport/index.js';
import { readJson } from '../shared/body.js';
import type { Call } from '../shared/context.js';
import { parse } from '../shared/json.js';
import { sessionOf } from '../shared/sessions.js';

interface StopRequest {
  /** Only this run of the session. */
  readonly runId?: string | undefined;
  /** For an admin: whose session. */
  readonly owner?: string | undefined;
  readonly queued?: 'drop' | 'keep' | undefined;
  /** How long to wait for quiet before it is answered, in ms. */
  readonly waitMs?: number | undefined;
}

const stopRequest: z.ZodType<StopRequest> = z.object({
  runId: z.string().optional(),
  owner: z.string().min(1).optional(),
  queued: z.enum(['drop', 'keep']).optional(),
  waitMs: z.number().min(0).optional(),
});

/** `POST /sessions/{key}/abort`: stops what runs in a session, of every kind, and what waits in it. */
export async function abortSession(call: Call): Promise<Response> {
  const body = parse(stopRequest, await readJson(call, false));
  const sessionKey = await sessionToStop(call, body);
  const { runId, queued } = body;
  const receipt = await stop(call, runId === undefined ? { sessionKey } : { sessionKey, runId }, queued);
  return jsonResponse({ key: call.id, ...(await answered(call, receipt, body)) });
}

/** `POST /runs/{id}/abort`: stops one run. */
export async function abortRun(call: Call): Promise<Response> {
  const body = parse(stopRequest, await readJson(call, false));
  const receipt = await stop(call, { runId: call.id }, body.queued);
  if (receipt.result === 'forbidden' || receipt.result === 'nothing-running') throw notFound();
  return jsonResponse({ runId: call.id, ...(await answered(call, receipt, body)) });
}

function stop({ context, caller }: Call, selector: Selector, queued: StopRequest['queued']): Promise<Receipt> {
  return context.control.abort(selector, {
    requester: caller.requester,
    reason: 'user',
    ...(queued === undefined ? {} : { queued }),
  });
}

async function answered({ context }: Call, receipt: Receipt, { waitMs = 0 }: StopRequest): Promise<object> {
  const shown = publicReceipt(receipt);
  if (shown.runIds.length === 0) return shown;
  const report = await receipt.whenQuiet({ timeoutMs: Math.min(waitMs, context.limits.waitMs) });
  return { ...shown, ...publicReport(report) };
}

/** A client's own, or for an admin that of whoever has one with this key. */
async function sessionToStop({ context, caller, id }: Call, { owner, runId }: StopRequest): Promise<string> {
  const { principal, isAdmin, requester } = caller;
  if (!isAdmin) return sessionOf(context, principal, id);
  if (owner !== undefined) return sessionOf(context, { userId: owner }, id);
  const active = await context.control.sessions.active({ requester });
  const [session, ...others] = sessionsNamed(context.options, active, { key: id, runId });
  if (others.length > 0) {
    throw new HttpError(409, 'session_ambiguous', 'Several users have a session of this key: say whose with owner.', {
      param: 'owner',
    });
  }
  return session ?? sessionOf(context, principal, id);
}
