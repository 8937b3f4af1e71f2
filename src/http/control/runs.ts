import type { RunView } from '../../index.js';
import { invalidRequest, jsonResponse, notFound, receiptOf, shownRun } from '../../transport/index.js';
import type { Call } from '../shared/context.js';

/** `GET /runs/{id}`: where a run is in its life. */
export async function getRun(call: Call): Promise<Response> {
  return jsonResponse(shownRun(call.context.options, call.caller, viewOf(call)));
}

/**
 * `GET /runs/{id}/receipt`: what became of a run that was stopped. With `?waitMs=` it waits for quiet so long. A run that goes
 * on, or has ended by itself, has no receipt.
 */
export async function getReceipt(call: Call): Promise<Response> {
  const { context, caller, request, id } = call;
  const asked = new URL(request.url).searchParams.get('waitMs') ?? '0';
  if (!/^\d{1,9}$/.test(asked)) throw invalidRequest('waitMs must be a number of ms.', 'waitMs');
  const timeoutMs = Math.min(Number(asked), context.limits.waitMs);
  viewOf(call);
  const receipt = await receiptOf(context.control, caller, id, timeoutMs);
  // As it is by now.
  return jsonResponse({ ...shownRun(context.options, caller, viewOf(call)), receipt });
}

function viewOf({ context, caller, id }: Call): RunView {
  const view = context.control.runs.get(id, { requester: caller.requester });
  if (view === undefined) throw notFound();
  return view;
}
