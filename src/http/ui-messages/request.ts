import { z } from 'zod';

/** A part of a message of the user's, or the answer to a call. Other parts of a client's are not looked at. */
export interface UiPart {
  readonly type: string;
  readonly text?: string | undefined;
  readonly mediaType?: string | undefined;
  readonly url?: string | undefined;
  readonly toolCallId?: string | undefined;
  readonly toolName?: string | undefined;
  readonly state?: string | undefined;
  readonly output?: unknown;
  readonly errorText?: string | undefined;
  readonly approval?:
    | { readonly id: string; readonly approved?: boolean | undefined; readonly reason?: string | undefined }
    | undefined;
}

export interface UiMessage {
  readonly id: string;
  readonly role: 'user' | 'assistant' | 'system';
  readonly parts: readonly UiPart[];
}

/** What `useChat` sends. */
export interface UiRequest {
  readonly id: string;
  readonly messages: readonly UiMessage[];
  readonly trigger?: 'submit-message' | 'regenerate-message' | undefined;
  /** The message that is edited, or whose answer is to be given again. */
  readonly messageId?: string | null | undefined;
}

const part = z.object({
  type: z.string(),
  text: z.string().optional(),
  mediaType: z.string().optional(),
  url: z.string().optional(),
  toolCallId: z.string().optional(),
  toolName: z.string().optional(),
  state: z.string().optional(),
  output: z.unknown().optional(),
  errorText: z.string().optional(),
  approval: z.object({ id: z.string(), approved: z.boolean().optional(), reason: z.string().optional() }).optional(),
});

export const uiRequest: z.ZodType<UiRequest> = z.object({
  id: z.string().min(1),
  messages: z
    .array(
      z.object({
        id: z.string().min(1).max(256),
        role: z.enum(['user', 'assistant', 'system']),
        parts: z.array(part),
      }),
    )
    .min(1),
  trigger: z.enum(['submit-message', 'regenerate-message']).optional(),
  messageId: z.string().nullish(),
});
