import type { Message } from '../../agent/index.js';
import { HttpError, invalidRequest, notFound } from '../../transport/index.js';
import { broughtOf, saidOf } from '../chat-completions/messages.js';
import type { AssistantMessage, ChatMessage, UserPart } from '../chat-completions/request.js';
import type { Call } from '../shared/context.js';
import type { Said } from '../shared/send.js';
import type { InputItem, InputPart, ResponsesRequest } from './request.js';
import { runOfResponse } from './response.js';

type Spoken = Pick<Said, 'messages' | 'history'>;

/** The session that is gone on with; `undefined` for another. */
export function sessionBefore(
  { context, caller }: Call,
  { previous_response_id: id }: ResponsesRequest,
): string | undefined {
  if (id === undefined || id === null) return undefined;
  const before = context.control.runs.get(runOfResponse(id), { requester: caller.requester });
  if (before === undefined) throw notFound();
  return before.sessionKey;
}

/**
 * What a client says. With answers in it, it is a history that the client keeps: nothing of the turn is kept. Otherwise the
 * session has the history, and only what is new is taken.
 */
export function spokenOf({ context }: Call, body: ResponsesRequest): Spoken {
  if (body.background === true)
    throw new HttpError(400, 'not_supported', 'background is not supported.', { param: 'background' });
  const items: readonly InputItem[] =
    typeof body.input === 'string' ? [{ role: 'user', content: body.input }] : body.input;
  const instructions: ChatMessage[] =
    typeof body.instructions === 'string' ? [{ role: 'system', content: body.instructions }] : [];
  const isBrought = body.store === false || items.some(isAnswer);
  if (isBrought && typeof body.previous_response_id === 'string') {
    throw invalidRequest('Send what is new only: previous_response_id has the rest.', 'input');
  }
  if (isBrought) return broughtOf(context, [...instructions, ...chatOf(items)]);
  const said = instructions.map((message, at) => saidOf(context, message as Parameters<typeof saidOf>[1], at));
  return { messages: [...said, ...items.flatMap((item, at) => newOf({ context }, item, at))] };
}

function isAnswer(item: InputItem): boolean {
  return item.type === 'function_call' || ('role' in item && item.role === 'assistant');
}

/** The runner takes the results that answer an open call of the session, once. */
function newOf({ context }: Pick<Call, 'context'>, item: InputItem, at: number): Message[] {
  if (item.type === 'function_call_output') {
    const result = { type: 'tool-result' as const, callId: item.call_id, name: 'function', output: item.output };
    return [{ role: 'tool', content: [result] }];
  }
  if (!('role' in item)) return [];
  return chatOf([item]).map((message) => saidOf(context, message as Parameters<typeof saidOf>[1], at));
}

/** As messages of a chat completion: the calls behind an answer are its own. */
function chatOf(items: readonly InputItem[]): ChatMessage[] {
  const chat: ChatMessage[] = [];
  for (const item of items) {
    if (item.type === 'reasoning') continue;
    if (item.type === 'function_call_output') {
      chat.push({ role: 'tool', tool_call_id: item.call_id, content: item.output });
    } else if (item.type === 'function_call') {
      const call = { id: item.call_id, function: { name: item.name, arguments: item.arguments } };
      const last = chat.at(-1);
      if (last?.role !== 'assistant') chat.push({ role: 'assistant', tool_calls: [call] });
      else chat.splice(-1, 1, { ...last, tool_calls: [...(last.tool_calls ?? []), call] });
    } else chat.push(messageOf(item));
  }
  return chat;
}

function messageOf({ role, content }: Extract<InputItem, { role: unknown }>): ChatMessage {
  if (typeof content === 'string') return { role, content };
  if (role === 'user') return { role, content: content.map(userPart) };
  const texts = content.map((part) => ({ type: 'text' as const, text: textOfPart(part) }));
  return role === 'assistant' ? ({ role, content: texts } satisfies AssistantMessage) : { role, content: texts };
}

function userPart(part: InputPart): UserPart {
  if (part.type === 'input_image') return { type: 'image_url', image_url: { url: part.image_url } };
  if (part.type === 'input_file') return { type: 'file', file: { file_data: part.file_data } };
  return { type: 'text', text: textOfPart(part) };
}

function textOfPart(part: InputPart): string {
  if ('text' in part) return part.text;
  if (part.type === 'refusal') return part.refusal;
  throw invalidRequest('Only a message of the user may have files.', 'input');
}
