// What a provider says of the order of messages: every call is answered once, right behind the message that asks for it.
import { type Broken, broken, type Rule } from './refusal.js';
import type { ModelMessage } from './transcript.js';

export const ORDER_RULES: readonly Rule[] = [
  {
    name: 'call-id-repeated',
    cites: 'https://github.com/openclaw/openclaw/pull/47136',
    check: ({ messages }) => {
      for (const [at, { tool_calls = [] }] of messages.entries()) {
        const ids = tool_calls.map(({ id }) => id);
        const twice = ids.findIndex((id, index) => ids.indexOf(id) !== index);
        if (twice >= 0)
          return broken(
            `invalid params, duplicate tool_call id: ${ids[twice]}`,
            `messages[${at}].tool_calls[${twice}].id`,
          );
      }
      return undefined;
    },
  },
  {
    name: 'tool-without-call',
    cites: 'https://github.com/miurla/morphic/issues/136',
    check: ({ messages }) =>
      eachBatch(messages, (asking, _answers, from) =>
        asking === undefined
          ? broken(
              "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
              `messages.[${from}].role`,
            )
          : undefined,
      ),
  },
  {
    name: 'tool-call-id-foreign',
    cites: 'https://github.com/dapr/dapr-agents/issues/145',
    check: ({ messages }) =>
      eachBatch(messages, (asking, answers, from) => {
        const ids = idsOf(asking);
        const at = asking === undefined ? -1 : answers.findIndex((answer) => !ids.includes(answer.tool_call_id ?? ''));
        return at < 0
          ? undefined
          : broken(
              `Invalid parameter: 'tool_call_id' of '${answers[at]?.tool_call_id}' not found in 'tool_calls' of previous message.`,
              `messages.[${from + at}].tool_call_id`,
            );
      }),
  },
  {
    name: 'tool-answered-twice',
    cites: 'https://github.com/agno-agi/agno/issues/5116',
    check: ({ messages }) =>
      eachBatch(messages, (_asking, answers, from) => {
        const ids = answers.map((answer) => answer.tool_call_id ?? '');
        const at = ids.findIndex((id, index) => ids.indexOf(id) !== index);
        return at < 0
          ? undefined
          : broken(
              `Invalid parameter: Duplicate value for 'tool_call_id' of '${ids[at]}', in messages[${from + ids.indexOf(ids[at] ?? '')}] and messages[${from + at}].`,
              `messages.[${from + at}].tool_call_id`,
            );
      }),
  },
  {
    name: 'calls-unanswered',
    cites: 'https://github.com/aliasrobotics/cai/issues/111',
    check: ({ messages }) =>
      eachBatch(messages, (asking, answers, from) => {
        const answered = answers.map((answer) => answer.tool_call_id);
        const open = idsOf(asking).filter((id) => !answered.includes(id));
        return open.length === 0
          ? undefined
          : broken(
              `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${open.join(', ')}`,
              `messages.[${from + answers.length}].role`,
            );
      }),
  },
  {
    name: 'last-role',
    cites: 'https://github.com/0xPlaygrounds/rig/issues/708',
    check: ({ messages }) => {
      const last = messages.at(-1);
      return last?.role === 'assistant'
        ? broken(
            'Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant',
            `messages[${messages.length - 1}].role`,
          )
        : undefined;
    },
  },
];

function idsOf(message: ModelMessage | undefined): string[] {
  return (message?.tool_calls ?? []).map(({ id }) => id);
}

/**
 * Goes through every message that asks for calls with the tool messages right behind it, and through tool messages that
 * are behind no such message.
 *
 * @param check - gets the asking message, if there is one, its answers, and where the answers begin
 */
function eachBatch(
  messages: readonly ModelMessage[],
  check: (asking: ModelMessage | undefined, answers: readonly ModelMessage[], from: number) => Broken | undefined,
): Broken | undefined {
  for (let at = 0; at < messages.length; at++) {
    const asks = messages[at]?.tool_calls !== undefined;
    if (!asks && messages[at]?.role !== 'tool') continue;
    const from = asks ? at + 1 : at;
    let to = from;
    while (messages[to]?.role === 'tool') to++;
    const found = check(asks ? messages[at] : undefined, messages.slice(from, to), from);
    if (found !== undefined) return found;
    at = to - 1;
  }
  return undefined;
}
