import { type Message, type Part, textOf } from '../agent/index.js';
import type { AiMessage, AiPart } from './sdk.js';

/** The name of the message form, which a history keeps. */
export const FORMAT = 'ai-sdk';

/** What a part may have, whatever its type is. */
export interface AnyPart extends AiPart {
  readonly text?: string;
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly input?: unknown;
  readonly output?: ToolOutput;
  readonly mediaType?: string | undefined;
  readonly kind?: string | undefined;
  readonly data?: unknown;
  readonly image?: unknown;
  readonly providerExecuted?: boolean | undefined;
  readonly providerOptions?: unknown;
}

/** What the model is shown of a call's end. */
export interface ToolOutput {
  readonly type: string;
  readonly value?: unknown;
  readonly reason?: string;
}

/** The parts of a message; a text is one. */
export function partsOf({ content }: AiMessage): readonly AnyPart[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}

/** Neutral messages as a request has them. */
export function fromNeutral(messages: readonly Message[]): AiMessage[] {
  return messages.flatMap((message): AiMessage[] => {
    if (message.native?.format === FORMAT) return [message.native.value as AiMessage];
    const { role, content } = message;
    if (role === 'system') return content.length === 0 ? [] : [{ role, content: textOf(message) }];
    if (typeof content === 'string') return content === '' || role === 'tool' ? [] : [{ role, content }];
    const results = content.flatMap((part) => (part.type === 'tool-result' ? [resultOf(part)] : []));
    const words = role === 'tool' ? [] : content.flatMap((part) => partFrom(part, role));
    return [
      ...(words.length === 0 ? [] : [{ role: role as 'user' | 'assistant', content: words }]),
      ...(results.length === 0 ? [] : [{ role: 'tool' as const, content: results }]),
    ];
  });
}

function partFrom(part: Part, role: Message['role']): AnyPart[] {
  if (part.type === 'text') return part.text === '' ? [] : [part];
  if (part.type === 'file') return [part];
  if (part.type !== 'tool-call' || role !== 'assistant') return [];
  return [{ type: 'tool-call', toolCallId: part.callId, toolName: part.name, input: part.input ?? {} }];
}

function resultOf({ callId, name, output, isError }: Extract<Part, { type: 'tool-result' }>): AnyPart {
  const kind = isError === true ? 'error-' : '';
  const value = output ?? null;
  const shown = { type: kind + (typeof value === 'string' ? 'text' : 'json'), value };
  return { type: 'tool-result', toolCallId: callId, toolName: name, output: shown };
}

/** The messages of a request in the neutral form. */
export function toNeutral(messages: readonly AiMessage[]): Message[] {
  return messages.map((message) => {
    const { role, content } = message;
    return { role, content: typeof content === 'string' ? content : partsOf(message).flatMap(partTo) };
  });
}

function partTo(part: AnyPart): Part[] {
  const { type, text = '', toolCallId: callId = '', toolName: name = '', input, output } = part;
  switch (type) {
    case 'text':
      return [{ type, text }];
    case 'tool-call':
      return [{ type, callId, name, input }];
    case 'tool-result': {
      const value = output?.type === 'execution-denied' ? (output.reason ?? 'refused') : output?.value;
      const result = { type, callId, name, output: value } as const;
      return [isFailure(output) ? { ...result, isError: true } : result];
    }
    case 'file':
    case 'image': {
      const data = part.data ?? part.image;
      const mediaType = part.mediaType ?? 'image/*';
      // What is elsewhere is no file of the message.
      return typeof data !== 'string' || data.includes(':') ? [] : [{ type: 'file', mediaType, data }];
    }
    default:
      return [];
  }
}

function isFailure(output: ToolOutput | undefined): boolean {
  return output?.type.startsWith('error-') === true || output?.type === 'execution-denied';
}

/**
 * A copy as JSON has it; bytes become base64, as the AI SDK takes them.
 *
 * @throws what JSON cannot keep
 */
export function asJson(value: unknown): unknown {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    part instanceof Uint8Array ? btoa(Array.from(part, (byte) => String.fromCharCode(byte)).join('')) : part,
  ) as string | undefined;
  return text === undefined ? null : JSON.parse(text);
}
