import { z } from 'zod';
import { jsonResponse, notFound } from '../../transport/index.js';
import { readJson } from '../shared/body.js';
import type { Call } from '../shared/context.js';
import { parse } from '../shared/json.js';

const decision: z.ZodType<{ approved: boolean; note?: string | undefined }> = z.object({
  approved: z.boolean(),
  note: z.string().optional(),
});

/** `POST /approvals/{id}`: answers a question, once. One that is answered, voided or somebody else's is not there. */
export async function answerApproval(call: Call): Promise<Response> {
  const { context, caller, id } = call;
  const { approved, note } = parse(decision, await readJson(call));
  const given = { approved, ...(note === undefined ? {} : { note }) };
  const { status } = await context.runner.answer(id, given, { requester: caller.requester });
  if (status === 'stale') throw notFound();
  return jsonResponse({ status });
}
