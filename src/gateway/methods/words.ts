import { z } from 'zod';
import type { AnswerParams, SteerParams } from '../api/messages.js';
import { sessionFor } from '../sessions.js';
import { stop } from './abort.js';
import { clientId, runId } from './fields.js';
import { type Method, method } from './method.js';

const steerParams: z.ZodType<SteerParams> = z.object({
  sessionKey: z.string(),
  runId: runId.optional(),
  message: z.string().min(1),
  idempotencyKey: clientId.optional(),
});
const answerParams: z.ZodType<AnswerParams> = z.object({
  approvalId: z.string().max(1_024),
  approved: z.boolean(),
  note: z.string().optional(),
});

/** `chat.steer`. */
export function steerMethod(isStopWord: (message: string) => boolean): Method {
  return method(
    steerParams,
    (call, asked) => {
      const { context, caller } = call;
      const sessionKey = sessionFor(context, caller, asked.sessionKey);
      if (isStopWord(asked.message)) return stop(call, { sessionKey });
      const { runId, message, idempotencyKey } = asked;
      const isElsewhere = runId !== undefined && context.control.runs.get(runId)?.sessionKey !== sessionKey;
      if (isElsewhere) return { status: 'stale' };
      return context.runner.steer(runId ?? { sessionKey }, message, {
        requester: caller.requester,
        ...(idempotencyKey === undefined ? {} : { messageId: idempotencyKey }),
      });
    },
    {
      overtakes: ({ message, sessionKey }) => (isStopWord(message) ? { key: sessionKey } : undefined),
      startsIn: ({ sessionKey }) => sessionKey,
    },
  );
}

/** `chat.answer`: one that is answered, voided or somebody else's is stale. */
export const answerMethod: Method = method(
  answerParams,
  ({ context, caller }, { approvalId, approved, note }) =>
    context.runner.answer(
      approvalId,
      { approved, ...(note === undefined ? {} : { note }) },
      { requester: caller.requester },
    ),
  { isUrgent: true },
);
