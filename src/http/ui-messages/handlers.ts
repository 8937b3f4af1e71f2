import { z } from 'zod';
import { jsonResponse, notFound, publicReceipt, runIdOf } from '../../transport/index.js';
import { readJson } from '../shared/body.js';
import type { Call } from '../shared/context.js';
import { parse } from '../shared/json.js';
import { send } from '../shared/send.js';
import { sessionOf } from '../shared/sessions.js';
import { eventStream } from '../shared/sse.js';
import { Viewer } from '../shared/viewer.js';
import { answerApprovals } from './approvals.js';
import { UiChunks } from './chunks.js';
import { uiRequest } from './request.js';
import { saidOf } from './said.js';

/** `POST /api/chat`: what `useChat` sends. The session keeps the history. */
export async function chat(call: Call): Promise<Response> {
  const body = parse(uiRequest, await readJson(call));
  const sessionKey = sessionOf(call.context, call.caller.principal, body.id);
  const answered = await answerApprovals(call, body);
  if (answered !== undefined) return follow(call, answered) ?? notFound().toResponse();
  return uiStream(call, await send(call, await saidOf(call, sessionKey, body)));
}

/**
 * `GET /api/chat/{id}/stream`: the answer that is under way, from its beginning; 204 if there is none. Not a child of it: that
 * speaks through its parent.
 */
export async function resumeChat(call: Call): Promise<Response> {
  const { context, caller } = call;
  const { requester } = caller;
  const { runs } = context.control;
  const session = runs.session(sessionOf(context, caller.principal, call.id), { requester });
  const own = [...session.queuedRunIds, ...session.activeRunIds].filter(
    (runId) => runs.get(runId, { requester })?.parentId === undefined,
  );
  const newest = own.at(-1);
  const nothing = new Response(null, { status: 204, headers: { 'cache-control': 'no-store' } });
  return newest === undefined ? nothing : (follow(call, newest) ?? nothing);
}

const stopRequest: z.ZodType<{ runId?: string | undefined; messageId?: string | undefined }> = z.object({
  runId: z.string().optional(),
  messageId: z.string().min(1).optional(),
});

/**
 * `POST /api/chat/{id}/stop`: stops the chat, or one run of it. With the `messageId` of a message that is still on its way,
 * it stops that one when it comes.
 */
export async function stopChat(call: Call): Promise<Response> {
  const { context, caller } = call;
  const { runId, messageId } = parse(stopRequest, await readJson(call, false));
  const sessionKey = sessionOf(context, caller.principal, call.id);
  const { requester } = caller;
  const named = messageId === undefined ? runId : await runIdOf(caller.principal, sessionKey, messageId);
  const receipt =
    named === undefined
      ? await context.control.abort({ sessionKey }, { requester })
      : await context.control.abort({ sessionKey, runId: named }, { requester, intent: true });
  return jsonResponse(publicReceipt(receipt));
}

/** In one tick: whoever follows is counted before the run can end unseen. */
function follow(call: Call, runId: string): Response | undefined {
  const { context, caller, request } = call;
  const items = context.runner.streams.subscribe(runId, { requester: caller.requester });
  return items === undefined ? undefined : uiStream(call, new Viewer(runId, items, request));
}

function uiStream({ context }: Call, viewer: Viewer): Response {
  const chunks = new UiChunks(viewer.runId, context.options.atAbort);
  return eventStream(context, viewer, chunks, { 'x-vercel-ai-ui-message-stream': 'v1' });
}
