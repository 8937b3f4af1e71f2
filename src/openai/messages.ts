import { type Message, type Part, textOf } from '../agent/index.js';
import type { OpenAICall, OpenAIMessage } from './client.js';

/** The name of the message form, which a history keeps. */
export const FORMAT = 'openai-chat';

/** Neutral messages as a request has them. */
export function fromNeutral(messages: readonly Message[]): OpenAIMessage[] {
  return messages.flatMap((message): OpenAIMessage[] => {
    if (message.native?.format === FORMAT) return [message.native.value as OpenAIMessage];
    const parts = typeof message.content === 'string' ? [] : message.content;
    const results = parts.flatMap((part): OpenAIMessage[] =>
      part.type === 'tool-result'
        ? [{ role: 'tool', tool_call_id: part.callId, content: outputText(part.output) }]
        : [],
    );
    return [...wordsOf(message, parts), ...results];
  });
}

function wordsOf(message: Message, parts: readonly Part[]): OpenAIMessage[] {
  const text = textOf(message);
  switch (message.role) {
    case 'tool':
      return [];
    case 'assistant': {
      const calls = parts.flatMap((part) => (part.type === 'tool-call' ? [callOf(part)] : []));
      return text === '' && calls.length === 0 ? [] : [assistantMessage(text, calls)];
    }
    default: {
      const files = parts.some(({ type }) => type === 'file');
      const content = files ? parts.flatMap(contentOf) : text;
      return content.length === 0 ? [] : [{ role: message.role, content }];
    }
  }
}

/** An assistant message that every provider takes: never empty, and `content` is there beside calls, too. */
export function assistantMessage(text: string, calls: readonly OpenAICall[], reasoning = ''): OpenAIMessage {
  if (calls.length === 0) return { role: 'assistant', content: text };
  const words = { role: 'assistant', content: text === '' ? null : text, tool_calls: calls } as const;
  return reasoning === '' ? words : { ...words, reasoning_content: reasoning };
}

function callOf({ callId, name, input }: Extract<Part, { type: 'tool-call' }>): OpenAICall {
  return { id: callId, type: 'function', function: { name, arguments: JSON.stringify(input ?? {}) } };
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

/** The messages of a request in the neutral form. */
export function toNeutral(messages: readonly OpenAIMessage[]): Message[] {
  const names = new Map<string, string>();
  return messages.map(({ role, content, tool_calls = [], tool_call_id = '' }): Message => {
    const said = typeof content === 'string' ? content : (content ?? []).flatMap(partOf);
    if (role === 'tool' || role === 'function') {
      const output = typeof said === 'string' ? said : textOf(said);
      const name = names.get(tool_call_id) ?? '';
      const isError = FAILED.test(output);
      const result = { type: 'tool-result', callId: tool_call_id, name, output: jsonOr(output) } as const;
      return { role: 'tool', content: [isError ? { ...result, isError } : result] };
    }
    const calls = tool_calls.flatMap(({ id, function: named }): Part[] => {
      if (named === undefined) return [];
      names.set(id, named.name);
      return [{ type: 'tool-call', callId: id, name: named.name, input: jsonOr(named.arguments) }];
    });
    const speaker = role === 'developer' ? 'system' : role;
    if (calls.length === 0) return { role: speaker, content: said };
    const text = typeof said === 'string' ? [{ type: 'text' as const, text: said }] : said;
    return { role: speaker, content: [...text.filter((part) => part.type !== 'text' || part.text !== ''), ...calls] };
  });
}

/** How the results begin that say that there is none. */
const FAILED = /^(error: |\[(not started|no result|refused))/;

function partOf(part: object): Part[] {
  const { text, image_url, input_audio, file } = part as {
    readonly text?: string;
    readonly image_url?: { readonly url?: string };
    readonly input_audio?: { readonly data?: string; readonly format?: string };
    readonly file?: { readonly file_data?: string };
  };
  if (typeof text === 'string') return [{ type: 'text', text }];
  if (input_audio?.data !== undefined)
    return [{ type: 'file', mediaType: `audio/${input_audio.format}`, data: input_audio.data }];
  const [, mediaType, data] = /^data:([^;,]+);base64,(.*)$/s.exec(image_url?.url ?? file?.file_data ?? '') ?? [];
  return mediaType === undefined || data === undefined ? [] : [{ type: 'file', mediaType, data }];
}

/** What the model is shown of a result. */
export function outputText(output: unknown): string {
  if (typeof output === 'string') return output;
  return JSON.stringify(output ?? null) ?? 'null';
}

function jsonOr(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : text;
  } catch {
    return text;
  }
}
