import type { Message, Part } from '../../agent/index.js';
import { HttpError, invalidRequest } from '../../transport/index.js';
import type { HttpContext } from '../shared/context.js';
import { base64Part, filePart } from '../shared/files.js';
import type { AssistantMessage, ChatMessage, SystemMessage, ToolMessage, UserMessage, UserPart } from './request.js';

/** A history that a client has brought, and what is new in it. */
export interface Brought {
  readonly history: readonly Message[];
  readonly messages: readonly Message[];
}

/**
 * The messages of a client, in the neutral form, field by field. What comes behind the last answer is new. A result without
 * its call is refused: a model would be told of something that it has never asked for.
 *
 * @throws `system_message_not_allowed`, `invalid_request`, `file_not_allowed`
 */
export function broughtOf(context: HttpContext, given: readonly ChatMessage[]): Brought {
  const open = new Map<string, string>();
  const all = given.map((message, at) => {
    if (message.role === 'tool') return resultOf(message, open, at);
    if (message.role !== 'assistant') return saidOf(context, message, at);
    open.clear();
    for (const { id, function: called } of message.tool_calls ?? []) open.set(id, called.name);
    return answerOf(message, at);
  });
  const start = all.findLastIndex(({ role }) => role === 'assistant' || role === 'system') + 1;
  if (start === all.length) throw invalidRequest('The last message must be one of the user or of a tool.', 'messages');
  return { history: all.slice(0, start).filter(hasContent), messages: all.slice(start) };
}

/** An answer that was stopped before its first word: no model takes an empty message. */
function hasContent({ content }: Message): boolean {
  return content.length > 0;
}

export function saidOf(context: HttpContext, message: UserMessage | SystemMessage, at: number): Message {
  if (message.role === 'user') {
    const { content } = message;
    return {
      role: 'user',
      content: typeof content === 'string' ? content : content.map((part) => partOf(context, part)),
    };
  }
  if (context.options.systemMessages === true) return { role: 'system', content: plain(message.content) };
  throw new HttpError(
    400,
    'system_message_not_allowed',
    'The instructions are the server’s: leave system and developer messages out.',
    { param: `messages.${at}.role` },
  );
}

function partOf({ limits }: HttpContext, part: UserPart): Part {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text };
    case 'image_url':
      return filePart(limits, part.image_url.url);
    case 'input_audio':
      return base64Part(limits, part.input_audio.data, part.input_audio.format === 'wav' ? 'audio/wav' : 'audio/mpeg');
    default:
      return filePart(limits, part.file.file_data);
  }
}

function answerOf({ content, tool_calls: calls }: AssistantMessage, at: number): Message {
  const parts = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : (content ?? []);
  const said = parts.map((part) => (part.type === 'text' ? part.text : part.refusal)).join('');
  if (calls === undefined || calls === null || calls.length === 0) return { role: 'assistant', content: said };
  const made = calls.map(({ id, function: { name, arguments: args } }): Part => {
    return { type: 'tool-call', callId: id, name, input: jsonOf(args, `messages.${at}.tool_calls`) };
  });
  return { role: 'assistant', content: [...(said === '' ? [] : [{ type: 'text' as const, text: said }]), ...made] };
}

/** Each answers one call of the answer before it, once. */
function resultOf(message: ToolMessage, open: Map<string, string>, at: number): Message {
  const { tool_call_id: callId, content } = message;
  const name = open.get(callId);
  if (name === undefined || !open.delete(callId)) {
    throw invalidRequest(
      'A tool message must answer a call of the message before it, once.',
      `messages.${at}.tool_call_id`,
    );
  }
  return { role: 'tool', content: [{ type: 'tool-result', callId, name, output: plain(content) }] };
}

function plain(content: string | readonly { readonly text: string }[]): string {
  return typeof content === 'string' ? content : content.map(({ text }) => text).join('');
}

function jsonOf(text: string, param: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    throw invalidRequest('The arguments of a call must be JSON.', param);
  }
}
