import { z } from 'zod';

interface Text {
  readonly type: 'text';
  readonly text: string;
}

export type UserPart =
  | Text
  | { readonly type: 'image_url'; readonly image_url: { readonly url: string } }
  | { readonly type: 'input_audio'; readonly input_audio: { readonly data: string; readonly format: 'wav' | 'mp3' } }
  | { readonly type: 'file'; readonly file: { readonly file_data: string } };

export interface AssistantMessage {
  readonly role: 'assistant';
  readonly content?:
    | string
    | readonly (Text | { readonly type: 'refusal'; readonly refusal: string })[]
    | null
    | undefined;
  readonly tool_calls?:
    | readonly { readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }[]
    | null
    | undefined;
}

export interface ToolMessage {
  readonly role: 'tool';
  readonly content: string | readonly Text[];
  readonly tool_call_id: string;
}

export interface UserMessage {
  readonly role: 'user';
  readonly content: string | readonly UserPart[];
}

export interface SystemMessage {
  readonly role: 'system' | 'developer';
  readonly content: string | readonly Text[];
}

export type ChatMessage = SystemMessage | UserMessage | AssistantMessage | ToolMessage;

/** What is looked at of a request. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly stream?: boolean | null | undefined;
  readonly stream_options?: { readonly include_usage?: boolean | null | undefined } | null | undefined;
}

const text = z.object({ type: z.literal('text'), text: z.string() });
const texts = z.union([z.string(), z.array(text)]);
const image = z.object({ type: z.literal('image_url'), image_url: z.object({ url: z.string() }) });
const audio = z.object({
  type: z.literal('input_audio'),
  input_audio: z.object({ data: z.string(), format: z.enum(['wav', 'mp3']) }),
});
const file = z.object({ type: z.literal('file'), file: z.object({ file_data: z.string() }) });
const refusal = z.object({ type: z.literal('refusal'), refusal: z.string() });

const call = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() }),
});

const message = z.discriminatedUnion('role', [
  z.object({ role: z.enum(['system', 'developer']), content: texts }),
  z.object({
    role: z.literal('user'),
    content: z.union([z.string(), z.array(z.discriminatedUnion('type', [text, image, audio, file]))]),
  }),
  z.object({
    role: z.literal('assistant'),
    content: z.union([z.string(), z.array(z.discriminatedUnion('type', [text, refusal]))]).nullish(),
    tool_calls: z.array(call).nullish(),
  }),
  z.object({ role: z.literal('tool'), content: texts, tool_call_id: z.string() }),
]);

/**
 * What is looked at. The rest, such as `temperature` and `tools`, is the host's to decide, and is left alone: the agent has
 * its own.
 */
export const chatRequest: z.ZodType<ChatRequest> = z.object({
  model: z.string(),
  messages: z.array(message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.literal(1, { error: 'only one answer is given' }).nullish(),
});
