import { type Message, type Part, textOf } from '../agent/index.js';
import { callItem, isObject, parsed, resultItem, saidItem } from './items.js';
import type { AgentsItem } from './sdk.js';

/** The name of the message form, which a history keeps. */
export const FORMAT = 'openai-agents';

/** Neutral messages as the package takes them. */
export function fromNeutral(messages: readonly Message[]): AgentsItem[] {
  return messages.flatMap((message): AgentsItem[] => {
    const { role, content, native } = message;
    if (native?.format === FORMAT) return [native.value as AgentsItem];
    const parts = typeof content === 'string' ? [] : content;
    const results = parts.flatMap((part) =>
      part.type === 'tool-result' ? [resultItem(part.callId, part.name, outputText(part.output))] : [],
    );
    if (role === 'tool') return results;
    const text = textOf(message);
    if (role === 'assistant') {
      const calls = parts.flatMap((part) =>
        part.type === 'tool-call' ? [callItem(part.callId, part.name, part.input)] : [],
      );
      return [...(text === '' ? [] : [saidItem(text, 'completed')]), ...calls, ...results];
    }
    const said = parts.some(({ type }) => type === 'file') ? parts.flatMap(contentOf) : text;
    return [...(said.length === 0 ? [] : [{ type: 'message', role, content: said }]), ...results];
  });
}

function contentOf(part: Part): object[] {
  if (part.type === 'text') return [{ type: 'input_text', text: part.text }];
  if (part.type !== 'file') return [];
  const { mediaType, data } = part;
  const url = `data:${mediaType};base64,${data}`;
  if (mediaType.startsWith('image/')) return [{ type: 'input_image', image: url }];
  const [, format] = /^audio\/(?:x-)?(wav|mp3)$/.exec(mediaType.replace('mpeg', 'mp3')) ?? [];
  if (format !== undefined) return [{ type: 'audio', audio: data, format }];
  return [{ type: 'input_file', file: url, filename: 'file' }];
}

/** The package's items in the neutral form. The text, the calls and the text between them of one answer are one message. */
export function toNeutral(items: readonly AgentsItem[]): Message[] {
  const messages: { role: Message['role']; content: Part[] }[] = [];
  const add = (role: Message['role'], parts: readonly Part[]): void => {
    const last = messages.at(-1);
    if (last?.role === 'assistant' && role === 'assistant') last.content.push(...parts);
    else if (parts.length > 0) messages.push({ role, content: [...parts] });
  };
  for (const { type, role, content, callId = '', name = '', output, arguments: text } of items) {
    if (type === 'function_call') {
      add('assistant', [{ type: 'tool-call', callId, name, input: parsed(text) }]);
    } else if (type === 'function_call_result') {
      const said = resultText(output);
      const result = { type: 'tool-result', callId, name, output: jsonOr(said) } as const;
      add('tool', [FAILED.test(said) ? { ...result, isError: true } : result]);
    } else if (role === 'user' || role === 'assistant' || role === 'system') {
      add(role, partsOf(content));
    }
  }
  return messages.map(({ role, content }) => {
    const isText = content.every(({ type }) => type === 'text');
    return { role, content: isText ? textOf(content) : content };
  });
}

/** How the results begin of tools that have failed, as far as the package or this adapter has put it. */
export const FAILED: RegExp =
  /^(An error occurred while|error: |Tool .* (not found|timed out)|\[(not started|no result|refused))/;

export function partsOf(content: unknown): Part[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (!Array.isArray(content)) return [];
  return content.flatMap((part: Readonly<Record<string, unknown>>): Part[] => {
    const text = part.text ?? part.refusal ?? part.transcript;
    if (typeof text === 'string') return [{ type: 'text', text }];
    if (part.type === 'audio') return [{ type: 'file', mediaType: `audio/${part.format}`, data: String(part.audio) }];
    const [, mediaType, data] = /^data:([^;,]+);base64,(.*)$/s.exec(String(part.image ?? part.file)) ?? [];
    return mediaType === undefined || data === undefined ? [] : [{ type: 'file', mediaType, data }];
  });
}

function resultText(output: unknown): string {
  if (isObject(output) && typeof output.text === 'string') return output.text;
  return Array.isArray(output) ? textOf(partsOf(output)) : outputText(output);
}

/** What the model is shown of a result. */
export function outputText(output: unknown): string {
  if (typeof output === 'string') return output;
  return JSON.stringify(output ?? null) ?? 'null';
}

function jsonOr(text: string): unknown {
  const value = parsed(text);
  return typeof value === 'object' ? value : text;
}
