import { jsonResponse } from '../../transport/index.js';
import { type Answer, wholeAnswer } from '../shared/answer.js';
import { readJson } from '../shared/body.js';
import type { Call } from '../shared/context.js';
import { placeOf } from '../shared/idempotency.js';
import { parse } from '../shared/json.js';
import { withRunId } from '../shared/run-id-header.js';
import { send } from '../shared/send.js';
import { eventStream } from '../shared/sse.js';
import { CompletionChunks, type CompletionHead, completionId, finishReason, toolCalls, usageOf } from './chunks.js';
import { broughtOf } from './messages.js';
import { chatRequest } from './request.js';

/** `POST /v1/chat/completions`: the client brings the whole history, and nothing of it is kept. */
export async function chatCompletions(call: Call): Promise<Response> {
  const { context } = call;
  const given = await readJson(call);
  const body = parse(chatRequest, given);
  const { history, messages } = broughtOf(context, body.messages);
  const place = await placeOf(call, 'chat.completions', given);
  const viewer = await send(call, { ...place, history, messages });
  const created = Math.floor(context.control.clock.now() / 1000);
  const head: CompletionHead = { runId: viewer.runId, model: body.model, created };
  if (body.stream === true) {
    const hasUsage = body.stream_options?.include_usage === true;
    return eventStream(context, viewer, new CompletionChunks(head, { hasUsage, atAbort: context.options.atAbort }));
  }
  return withRunId(viewer.runId, async () => completion(head, await wholeAnswer(viewer)));
}

function completion({ runId, model, created }: CompletionHead, { text, reasoning, state }: Answer): Response {
  const calls = toolCalls(state.clientCalls);
  const message = {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    refusal: null,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
  const usage = state.finish?.usage;
  return jsonResponse({
    id: completionId(runId),
    object: 'chat.completion',
    created,
    model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason(state.finish) }],
    ...(usage === undefined ? {} : { usage: usageOf(usage) }),
  });
}
