import type { AgentEvent } from '../../agent/index.js';
import type { StreamItem } from '../../streams/index.js';
import { clientGone, jsonResponse, notFound } from '../../transport/index.js';
import { readJson } from '../shared/body.js';
import type { Call } from '../shared/context.js';
import { answerOfEnding } from '../shared/ending.js';
import { placeOf } from '../shared/idempotency.js';
import { parse } from '../shared/json.js';
import { withRunId } from '../shared/run-id-header.js';
import { send } from '../shared/send.js';
import { eventStream } from '../shared/sse.js';
import type { Viewer } from '../shared/viewer.js';
import { ResponseEvents } from './events.js';
import { responsesRequest } from './request.js';
import { type ResponseHead, runOfResponse } from './response.js';
import { sessionBefore, spokenOf } from './said.js';

/** `POST /v1/responses`. */
export async function responses(call: Call): Promise<Response> {
  const { context } = call;
  const given = await readJson(call);
  const body = parse(responsesRequest, given);
  const spoken = spokenOf(call, body);
  const place = await placeOf(call, 'responses', given, sessionBefore(call, body));
  const viewer = await send(call, { ...place, ...spoken });
  const { runId } = viewer;
  const created = Math.floor(context.control.clock.now() / 1000);
  const head: ResponseHead = { runId, model: body.model, created, previousId: body.previous_response_id ?? null };
  context.heads.add(runId, head);
  const events = new ResponseEvents(head, context.options.atAbort);
  if (body.stream === true) return eventStream(context, viewer, events);
  return withRunId(runId, async () => whole(viewer, events));
}

async function whole(viewer: Viewer, events: ResponseEvents): Promise<Response> {
  try {
    while (!events.isOver) {
      const item = await viewer.next();
      if (item === undefined) throw clientGone();
      events.item(item);
    }
  } finally {
    viewer.leave();
  }
  const { ending, status } = events;
  if (ending !== undefined && ending.kind !== 'completed') throw answerOfEnding(viewer.runId, ending);
  return jsonResponse(events.response(status));
}

/** `GET /v1/responses/{id}`: a response as it is by now. */
export async function getResponse({ context, caller, id }: Call): Promise<Response> {
  const runId = runOfResponse(id);
  const { requester } = caller;
  const view = context.control.runs.get(runId, { requester });
  const items = context.runner.streams.subscribe(runId, { requester });
  if (view === undefined || items === undefined) throw notFound();
  const unknown = { runId, model: '', created: Math.floor(view.startedAt / 1000), previousId: null };
  const events = new ResponseEvents(context.heads.get(runId) ?? unknown, 'by-cause');
  await readSoFar(items, events);
  return jsonResponse(events.response(view.status === 'queued' ? 'queued' : events.status));
}

/** All that is there, and nothing that is to come. */
async function readSoFar(items: AsyncIterable<StreamItem<AgentEvent>>, events: ResponseEvents): Promise<void> {
  const reader = items[Symbol.asyncIterator]();
  const nothing = Promise.resolve(undefined);
  while (!events.isOver) {
    // What is there is there at once: it wins.
    const result = await Promise.race([reader.next(), nothing]);
    if (result === undefined || result.done === true) break;
    events.item(result.value);
  }
  await reader.return?.();
}

/** `POST /v1/responses/{id}/cancel`: stops its run, in the background or not. */
export async function cancelResponse(call: Call): Promise<Response> {
  const { context, caller, id } = call;
  const { requester } = caller;
  const { result } = await context.control.abort({ runId: runOfResponse(id) }, { requester });
  if (result === 'forbidden' || result === 'nothing-running') throw notFound();
  return getResponse(call);
}
