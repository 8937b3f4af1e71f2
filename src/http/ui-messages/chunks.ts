import type { AgentEvent, Call, Finish } from '../../agent/index.js';
import type { StreamItem } from '../../streams/index.js';
import { type Ending, endingOf, errorOfEnding } from '../shared/ending.js';
import type { Encoder } from '../shared/sse.js';
import { TurnState } from '../shared/turn-state.js';

/** A run as the chunks of a UI message of the AI SDK. It begins with `start`, so that a replay is a whole message. */
export class UiChunks implements Encoder {
  readonly #runId: string;
  readonly #atAbort: 'by-cause' | 'error' | undefined;
  readonly #state = new TurnState();
  /** The text or the reasoning that goes on. */
  #part: { readonly type: 'text' | 'reasoning'; readonly id: string } | undefined;
  #parts = 0;
  #isInStep = false;
  /** Calls that the client has been told of. */
  readonly #shown = new Set<string>();
  isOver = false;

  constructor(runId: string, atAbort: 'by-cause' | 'error' | undefined) {
    this.#runId = runId;
    this.#atAbort = atAbort;
  }

  open(): string {
    return chunk({ type: 'start', messageId: this.#runId });
  }

  item(item: StreamItem<AgentEvent>): string {
    if (item.type === 'event') return this.#event(item.event);
    const ending = endingOf(item, this.#state, this.#atAbort);
    if (ending === undefined) return '';
    this.isOver = true;
    return `${this.#end(ending)}data: [DONE]\n\n`;
  }

  #event(event: AgentEvent): string {
    if (event.type === 'text' || event.type === 'reasoning') return this.#delta(event.type, event.text);
    this.#state.see(event);
    switch (event.type) {
      case 'tool-start':
        return this.#call(event);
      case 'approval': {
        const { approvalId, callId: toolCallId } = event;
        return this.#call(event) + chunk({ type: 'tool-approval-request', approvalId, toolCallId });
      }
      case 'tool-end': {
        const { callId: toolCallId, status, output } = event;
        // A call that nobody was told of has no place for its result.
        if (!this.#shown.has(toolCallId)) return '';
        if (status === 'ok')
          return chunk({ type: 'tool-output-available', toolCallId, output: output ?? null, ...SERVERS });
        return toolError(toolCallId, typeof output === 'string' ? output : status);
      }
      case 'step':
        return this.#endStep();
      case 'data':
        return chunk({ type: `data-${event.name}`, data: event.data });
      case 'steered':
        return chunk({ type: 'data-steered', data: event.messages });
      default:
        return '';
    }
  }

  #delta(type: 'text' | 'reasoning', delta: string): string {
    let before = '';
    if (this.#part?.type !== type) {
      before = this.#beginStep() + this.#endPart();
      this.#part = { type, id: `${type}-${this.#parts++}` };
      before += chunk({ type: `${type}-start`, id: this.#part.id });
    }
    return `${before}${chunk({ type: `${type}-delta`, id: this.#part.id, delta })}`;
  }

  #call({ callId: toolCallId, name: toolName, input }: Call): string {
    const before = this.#beginStep() + this.#endPart();
    if (this.#shown.has(toolCallId)) return before;
    this.#shown.add(toolCallId);
    return before + chunk({ type: 'tool-input-available', toolCallId, toolName, input: input ?? {}, dynamic: true });
  }

  #beginStep(): string {
    if (this.#isInStep) return '';
    this.#isInStep = true;
    return chunk({ type: 'start-step' });
  }

  #endStep(): string {
    const before = this.#endPart();
    if (!this.#isInStep) return before;
    this.#isInStep = false;
    // Models repeat the ids of their calls from step to step.
    for (const callId of this.#shown) if (!this.#state.openCalls.has(callId)) this.#shown.delete(callId);
    return before + chunk({ type: 'finish-step' });
  }

  #endPart(): string {
    const part = this.#part;
    this.#part = undefined;
    return part === undefined ? '' : chunk({ type: `${part.type}-end`, id: part.id });
  }

  #end(ending: Ending): string {
    const { finish, clientCalls } = this.#state;
    // Calls that the client is to run stay open; no other does, or the page would show it as running for ever.
    const left = clientCalls.length > 0 ? [] : [...this.#shown].filter((id) => this.#isOpen(id));
    const why = ending.kind === 'stopped' || ending.kind === 'aborted' ? 'stopped' : 'failed';
    const closed = left.map((id) => toolError(id, why)).join('') + this.#endStep();
    if (ending.kind === 'completed') return closed + chunk({ type: 'finish', finishReason: finishReason(finish) });
    const isStop = ending.kind === 'stopped' || (ending.kind === 'aborted' && this.#atAbort !== 'error');
    if (isStop) return closed + chunk({ type: 'abort', reason: ending.reason ?? 'policy' });
    return closed + chunk({ type: 'error', errorText: errorOfEnding(ending).message });
  }

  /** Asked about, or started, and not over. */
  #isOpen(callId: string): boolean {
    return this.#state.openCalls.has(callId) || this.#state.asked.has(callId);
  }
}

/** Of a call that the server has run: a page that sends when all its calls have results has none to send. */
const SERVERS = { dynamic: true, providerExecuted: true };

function chunk(value: Readonly<Record<string, unknown>>): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

function toolError(toolCallId: string, errorText: string): string {
  return chunk({ type: 'tool-output-error', toolCallId, errorText, ...SERVERS });
}

function finishReason(finish: Finish | undefined): 'stop' | 'length' | 'tool-calls' | 'other' {
  switch (finish?.reason) {
    case 'client-tools':
      return 'tool-calls';
    case 'length':
    case 'max-steps':
      return 'length';
    case 'other':
      return 'other';
    default:
      return 'stop';
  }
}
