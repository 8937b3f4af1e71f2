import type { RunView } from '../../index.js';
import type { Call } from '../shared/context.js';
import { invalidRequest, jsonResponse, notFound } from '../shared/http-error.js';
import { publicReport } from '../shared/receipt.js';
import { ownerFor, wireKeyOf } from '../shared/sessions.js';

/** `GET /runs/{id}`: where a run is in its life. */
export async function getRun(call: Call): Promise<Response> {
  return jsonResponse(shownRun(call, viewOf(call)));
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
  const outcome = await context.control.wait(id, { timeoutMs: 0, requester: caller.requester });
  const receipt =
    outcome.status === 'aborted'
      ? {
          reason: outcome.reason,
          ...publicReport(await outcome.whenQuiet({ timeoutMs })),
          saved: await outcome.whenSaved({ timeoutMs }),
        }
      : null;
  // As it is by now.
  return jsonResponse({ ...shownRun(call, viewOf(call)), receipt });
}

function viewOf({ context, caller, id }: Call): RunView {
  const view = context.control.runs.get(id, { requester: caller.requester });
  if (view === undefined) throw notFound();
  return view;
}

function shownRun({ context, caller }: Call, view: RunView): object {
  const { runId, sessionKey, owner, kind, status, generation, reason, saved, startedAt, parentId } = view;
  return {
    runId,
    key: wireKeyOf(context, sessionKey),
    ...ownerFor(caller, owner),
    kind,
    status,
    generation,
    ...(reason === undefined ? {} : { reason }),
    ...(saved === undefined ? {} : { saved }),
    ...(startedAt === 0 ? {} : { startedAt }),
    ...(parentId === undefined ? {} : { parentId }),
  };
}
