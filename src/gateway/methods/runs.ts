import { z } from 'zod';
import type { RunView } from '../../index.js';
import { receiptOf, shownRun } from '../../transport/index.js';
import type { ReceiptAnswer, ReceiptParams, WaitAnswer, WaitParams } from '../api/runs.js';
import type { Call } from '../context.js';
import { GatewayError, notFound } from '../gateway-error.js';
import { clientId, runId } from './fields.js';
import { type Method, method } from './method.js';

const ms = z.number().min(0);
const receiptParams: z.ZodType<ReceiptParams> = z.object({ runId, waitMs: ms.optional() });
const waitParams: z.ZodType<WaitParams> = z.object({
  runId,
  kind: clientId.optional(),
  timeoutMs: ms.optional(),
});
const WAIT_MS = 30_000;

/** `runs.receipt`. */
export const runReceipt: Method = method(receiptParams, async (call, asked): Promise<ReceiptAnswer> => {
  const { context, caller } = call;
  const { control, limits, options } = context;
  const before = viewOf(call, asked.runId);
  const receipt = await receiptOf(control, caller, asked.runId, Math.min(asked.waitMs ?? 0, limits.waitMs));
  // As it is by now.
  const view = control.runs.get(asked.runId) ?? before;
  stillReadable(call, view);
  return { ...shownRun(options, caller, view), receipt } as ReceiptAnswer;
});

/** `agent.wait`: a run of another kind is not there, and the end of the wait is no end of the run. */
export const wait: Method = method(waitParams, async (call, asked): Promise<WaitAnswer> => {
  const { context, caller, signal } = call;
  const { control, limits, endings } = context;
  const { runId, kind = 'agent', timeoutMs = WAIT_MS } = asked;
  const before = control.runs.get(runId, { requester: caller.requester });
  if (before !== undefined && context.options.hidden?.(before) === true) throw missing(call, runId);
  const outcome = await control.wait(runId, {
    kind,
    timeoutMs: Math.min(timeoutMs, limits.waitMs),
    signal,
    requester: caller.requester,
  });
  if (outcome.status === 'unknown') throw missing(call, runId);
  if (outcome.status === 'timeout') return { status: 'timeout', runId };
  const view = control.runs.get(runId) ?? before;
  const { text, finish, message } = await endings.of(runId, view?.generation ?? 0);
  if (view !== undefined) stillReadable(call, view);
  const said = text === '' ? {} : { text };
  if (outcome.status === 'aborted') return { status: 'aborted', runId, ...said, reason: outcome.reason };
  if (outcome.status === 'failed') {
    return { status: 'error', runId, ...said, message: message ?? 'The run has failed.' };
  }
  return { status: 'ok', runId, ...said, ...(finish === undefined ? {} : { finish }) };
});

function viewOf(call: Call, id: string): RunView {
  const { context, caller } = call;
  const view = context.control.runs.get(id, { requester: caller.requester });
  if (view === undefined || context.options.hidden?.(view) === true) throw missing(call, id);
  return view;
}

/** The right, or what is hidden, may have changed while it was waited for. */
function stillReadable(call: Call, view: RunView): void {
  const { context, caller } = call;
  const mayRead = context.control.may('read', view, { requester: caller.requester });
  if (!mayRead || context.options.hidden?.(view) === true) throw missing(call, view.runId);
}

/** What is somebody else's looks as what is not there, unless the host has it said. */
function missing({ context }: Call, id: string): GatewayError {
  const isThere = context.options.revealForbidden === true && context.control.runs.get(id) !== undefined;
  return isThere ? new GatewayError('forbidden', 'This is not yours to see.') : notFound();
}
