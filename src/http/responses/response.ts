import type { Usage } from '../../agent/index.js';

/** What a response says of itself beside its output. */
export interface ResponseHead {
  readonly runId: string;
  /** As the client has named it: it is echoed. */
  readonly model: string;
  /** In seconds since the epoch. */
  readonly created: number;
  readonly previousId: string | null;
}

export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled';

export type OutputItem =
  | {
      readonly id: string;
      readonly type: 'message';
      readonly role: 'assistant';
      status: 'in_progress' | 'completed' | 'incomplete';
      readonly content: [
        { readonly type: 'output_text'; text: string; readonly annotations: []; readonly logprobs: [] },
      ];
    }
  | {
      readonly id: string;
      readonly type: 'reasoning';
      status: 'in_progress' | 'completed' | 'incomplete';
      readonly summary: [];
      readonly content: [{ readonly type: 'reasoning_text'; text: string }];
    }
  | {
      readonly id: string;
      readonly type: 'function_call';
      status: 'in_progress' | 'completed' | 'incomplete';
      readonly call_id: string;
      readonly name: string;
      readonly arguments: string;
    };

const PREFIX = 'resp_';

export function responseId(runId: string): string {
  return `${PREFIX}${runId}`;
}

/** The run of a response; what is none names no run. */
export function runOfResponse(id: string): string {
  return id.startsWith(PREFIX) ? id.slice(PREFIX.length) : '';
}

export interface ResponseState {
  readonly status: ResponseStatus;
  readonly output: readonly OutputItem[];
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  readonly isTooLong?: boolean | undefined;
  readonly usage?: Usage | undefined;
}

/** A response as OpenAI's API has it. */
export function responseOf(head: ResponseHead, state: ResponseState): Record<string, unknown> {
  const { status, output, error, isTooLong = false, usage } = state;
  return {
    id: responseId(head.runId),
    object: 'response',
    created_at: head.created,
    status,
    background: false,
    error: error ?? null,
    incomplete_details: isTooLong ? { reason: 'max_output_tokens' } : null,
    instructions: null,
    max_output_tokens: null,
    metadata: {},
    model: head.model,
    output,
    parallel_tool_calls: true,
    previous_response_id: head.previousId,
    temperature: null,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: null,
    truncation: 'disabled',
    usage: usage === undefined ? null : usageOf(usage),
  };
}

function usageOf({ input, output }: Usage): Record<string, unknown> {
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  };
}
