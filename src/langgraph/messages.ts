import { type Message, type Part, textOf } from '../agent/index.js';
import { RunfenceError } from '../index.js';
import type { ChainMessage, LangGraphCall, LangGraphMessage } from './sdk.js';

/** The name of the message form, which a history keeps. */
export const FORMAT = 'langchain';

/**
 * Neutral messages in the form that a state takes.
 *
 * @throws `INVALID_OPTIONS` for an object with a key `lc`: a checkpointer would make an instance of whatever it names
 */
export function fromNeutral(messages: readonly Message[]): LangGraphMessage[] {
  if (hasSerialized(messages)) {
    throw invalid(
      'A message has an object with the key "lc", the form in which LangChain makes instances of what an object names: it is not taken.',
    );
  }
  return messages.flatMap((message): LangGraphMessage[] => {
    const { role, content, native } = message;
    if (native?.format === FORMAT) return [native.value as LangGraphMessage];
    const parts = typeof content === 'string' ? [] : content;
    const results = parts.flatMap((part): LangGraphMessage[] =>
      part.type === 'tool-result'
        ? [toolMessage(part.callId, part.name, outputText(part.output), part.isError === true)]
        : [],
    );
    if (role === 'tool') return results;
    const text = textOf(message);
    if (role === 'assistant') {
      const calls = parts.flatMap((part): LangGraphCall[] =>
        part.type === 'tool-call'
          ? [{ type: 'tool_call', id: part.callId, name: part.name, args: part.input ?? {} }]
          : [],
      );
      return [...(text === '' && calls.length === 0 ? [] : [saidMessage(text, calls)]), ...results];
    }
    const said = parts.some(({ type }) => type === 'file') ? parts.flatMap(contentOf) : text;
    return [...(said.length === 0 ? [] : [{ type: role === 'user' ? 'human' : 'system', content: said }]), ...results];
  });
}

/** Looks without recursion: the depth is the sender's. */
function hasSerialized(messages: readonly Message[]): boolean {
  const open: unknown[] = [...messages];
  for (let value = open.pop(); value !== undefined || open.length > 0; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    if (Object.hasOwn(value, 'lc')) return true;
    open.push(...Object.values(value));
  }
  return false;
}

function contentOf(part: Part): object[] {
  if (part.type === 'text') return [{ type: 'text', text: part.text }];
  if (part.type !== 'file') return [];
  const { mediaType, data } = part;
  const url = `data:${mediaType};base64,${data}`;
  if (mediaType.startsWith('image/')) return [{ type: 'image_url', image_url: { url } }];
  const [, format] = /^audio\/(?:x-)?(wav|mp3)$/.exec(mediaType.replace('mpeg', 'mp3')) ?? [];
  if (format !== undefined) return [{ type: 'input_audio', input_audio: { data, format } }];
  return [{ type: 'file', file: { filename: 'file', file_data: url } }];
}

/** The messages of a state in the neutral form. */
export function toNeutral(messages: readonly LangGraphMessage[]): Message[] {
  return messages.flatMap(
    ({ type, content, tool_calls = [], tool_call_id: callId = '', name = '', status }): Message[] => {
      const said = typeof content === 'string' ? content : content.flatMap(partOf);
      if (type === 'tool') {
        const output = typeof said === 'string' ? said : textOf(said);
        const result = { type: 'tool-result', callId, name, output: jsonOr(output) } as const;
        return [{ role: 'tool', content: [status === 'error' ? { ...result, isError: true } : result] }];
      }
      const role = ROLES[type];
      if (role === undefined) return [];
      if (tool_calls.length === 0) return [{ role, content: said }];
      const text = typeof said === 'string' ? [{ type: 'text' as const, text: said }] : said;
      const calls = tool_calls.map(
        (call): Part => ({ type: 'tool-call', callId: call.id ?? '', name: call.name, input: call.args }),
      );
      return [{ role, content: [...text.filter((part) => part.type !== 'text' || part.text !== ''), ...calls] }];
    },
  );
}

const ROLES: Readonly<Record<string, 'user' | 'assistant' | 'system'>> = {
  human: 'user',
  ai: 'assistant',
  system: 'system',
};

function partOf(part: object): Part[] {
  const { text, image_url, input_audio, file } = part as {
    readonly text?: string;
    readonly image_url?: string | { readonly url?: string };
    readonly input_audio?: { readonly data?: string; readonly format?: string };
    readonly file?: { readonly file_data?: string };
  };
  if (typeof text === 'string') return [{ type: 'text', text }];
  if (input_audio?.data !== undefined)
    return [{ type: 'file', mediaType: `audio/${input_audio.format}`, data: input_audio.data }];
  const url = typeof image_url === 'string' ? image_url : (image_url?.url ?? file?.file_data ?? '');
  const [, mediaType, data] = /^data:([^;,]+);base64,(.*)$/s.exec(url) ?? [];
  return mediaType === undefined || data === undefined ? [] : [{ type: 'file', mediaType, data }];
}

/** A message of the state as plain JSON. Artifacts and pieces of calls are not kept. */
export function plainMessage(message: ChainMessage): LangGraphMessage {
  const { id, content, name, tool_calls, tool_call_id, status, additional_kwargs, response_metadata } = message;
  const { tool_calls: _, ...more } = additional_kwargs ?? {};
  const plain = { id, content, name, tool_calls, tool_call_id, status, additional_kwargs: more, response_metadata };
  return JSON.parse(JSON.stringify({ type: typeOf(message), ...plain })) as LangGraphMessage;
}

export function typeOf(message: ChainMessage): string {
  return message.getType?.() ?? message.type;
}

export function saidMessage(text: string, calls: readonly LangGraphCall[] = []): LangGraphMessage {
  return { type: 'ai', content: text, ...(calls.length === 0 ? {} : { tool_calls: calls }) };
}

export function toolMessage(callId: string, name: string, text: string, isError: boolean): LangGraphMessage {
  return { type: 'tool', tool_call_id: callId, name, content: text, ...(isError ? { status: 'error' } : {}) };
}

/** The text of a content. */
export function contentText(content: LangGraphMessage['content']): string {
  return typeof content === 'string' ? content : textOf(content.flatMap(partOf));
}

/** What the model is shown of a result. */
export function outputText(output: unknown): string {
  if (typeof output === 'string') return output;
  const { content } = Object(output) as { readonly content?: unknown };
  return typeof content === 'string' ? content : (JSON.stringify(output ?? null) ?? 'null');
}

function jsonOr(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : text;
  } catch {
    return text;
  }
}

export function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
