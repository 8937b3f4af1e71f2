import type { AgentEvent, Finish, Usage } from '../../agent/index.js';
import type { StreamItem } from '../../streams/index.js';
import { errorBody } from '../../transport/index.js';
import { type Ending, endingOf, errorOfEnding } from '../shared/ending.js';
import type { Encoder } from '../shared/sse.js';
import { TurnState } from '../shared/turn-state.js';

export interface CompletionHead {
  readonly runId: string;
  /** As the client has named it: it is echoed. */
  readonly model: string;
  /** In seconds since the epoch. */
  readonly created: number;
}

/** A run as the chunks of a chat completion: the role first, each item with `choices`, and one finish reason. */
export class CompletionChunks implements Encoder {
  readonly #head: CompletionHead;
  readonly #hasUsage: boolean;
  readonly #atAbort: 'by-cause' | 'error' | undefined;
  readonly #state = new TurnState();
  /** What every chunk begins with: most chunks are a token. */
  readonly #prefix: string;
  isOver = false;

  constructor(head: CompletionHead, options: { hasUsage: boolean; atAbort?: 'by-cause' | 'error' | undefined }) {
    this.#head = head;
    this.#hasUsage = options.hasUsage;
    this.#atAbort = options.atAbort;
    const { runId, model, created } = head;
    const base = JSON.stringify({ id: completionId(runId), object: 'chat.completion.chunk', created, model });
    this.#prefix = `data: ${base.slice(0, -1)},`;
  }

  open(): string {
    return this.#delta('"role":"assistant","content":""');
  }

  item(item: StreamItem<AgentEvent>): string {
    if (item.type === 'event') return this.#event(item.event);
    const ending = endingOf(item, this.#state, this.#atAbort);
    if (ending === undefined) return '';
    this.isOver = true;
    return this.#end(ending);
  }

  #event(event: AgentEvent): string {
    if (event.type === 'text') return this.#delta(`"content":${JSON.stringify(event.text)}`);
    if (event.type === 'reasoning') return this.#delta(`"reasoning_content":${JSON.stringify(event.text)}`);
    this.#state.see(event);
    return '';
  }

  #delta(delta: string): string {
    return `${this.#prefix}"choices":[{"index":0,"delta":{${delta}},"finish_reason":null}]}\n\n`;
  }

  #end(ending: Ending): string {
    if (ending.kind === 'completed') {
      return `${this.#calls()}${this.#finish(finishReason(this.#state.finish))}${this.#usage()}data: [DONE]\n\n`;
    }
    if (ending.kind === 'stopped') {
      const run = { id: this.#head.runId, status: 'aborted', reason: ending.reason };
      return `${this.#finish('stop', `,"x_run":${JSON.stringify(run)}`)}data: [DONE]\n\n`;
    }
    const { code, message } = errorOfEnding(ending);
    return `data: ${JSON.stringify(errorBody(500, code, message))}\n\n`;
  }

  #finish(reason: string, more = ''): string {
    return `${this.#prefix}"choices":[{"index":0,"delta":{},"finish_reason":"${reason}"}]${more}}\n\n`;
  }

  #calls(): string {
    const calls = this.#state.clientCalls;
    if (calls.length === 0) return '';
    return this.#delta(`"tool_calls":${JSON.stringify(toolCalls(calls).map((call, index) => ({ index, ...call })))}`);
  }

  #usage(): string {
    const usage = this.#state.finish?.usage;
    if (!this.#hasUsage || usage === undefined) return '';
    return `${this.#prefix}"choices":[],"usage":${JSON.stringify(usageOf(usage))}}\n\n`;
  }
}

export function completionId(runId: string): string {
  return `chatcmpl-${runId}`;
}

export function toolCalls(calls: TurnState['clientCalls']): Record<string, unknown>[] {
  return calls.map(({ callId, name, input }) => ({
    id: callId,
    type: 'function',
    function: { name, arguments: JSON.stringify(input ?? {}) },
  }));
}

export function finishReason(finish: Finish | undefined): 'stop' | 'length' | 'tool_calls' {
  if (finish?.reason === 'client-tools') return 'tool_calls';
  return finish?.reason === 'length' || finish?.reason === 'max-steps' ? 'length' : 'stop';
}

export function usageOf({ input, output }: Usage): Record<string, number> {
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}
