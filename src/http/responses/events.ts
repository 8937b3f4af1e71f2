import type { AgentEvent } from '../../agent/index.js';
import type { StreamItem } from '../../streams/index.js';
import { type Ending, endingOf, errorOfEnding } from '../shared/ending.js';
import type { Encoder } from '../shared/sse.js';
import { TurnState } from '../shared/turn-state.js';
import { type OutputItem, type ResponseHead, type ResponseStatus, responseOf } from './response.js';

/** A run as the events of a response. Each item of the output is begun, grows and is done, one after the other. */
export class ResponseEvents implements Encoder {
  readonly #head: ResponseHead;
  readonly #atAbort: 'by-cause' | 'error' | undefined;
  readonly #state = new TurnState();
  readonly #output: OutputItem[] = [];
  #isOpen = false;
  #seq = 0;
  /** How the run ended, once it has. */
  ending: Ending | undefined;

  constructor(head: ResponseHead, atAbort: 'by-cause' | 'error' | undefined) {
    this.#head = head;
    this.#atAbort = atAbort;
  }

  get isOver(): boolean {
    return this.ending !== undefined;
  }

  open(): string {
    const response = this.response('in_progress');
    return this.#line('response.created', { response }) + this.#line('response.in_progress', { response });
  }

  item(item: StreamItem<AgentEvent>): string {
    if (item.type === 'event') return this.#event(item.event);
    this.ending = endingOf(item, this.#state, this.#atAbort);
    return this.ending === undefined ? '' : this.#end(this.ending);
  }

  /** The response as it is. */
  response(status: ResponseStatus): Record<string, unknown> {
    const { ending } = this;
    const isError = ending !== undefined && ending.kind !== 'completed' && ending.kind !== 'stopped';
    const finish = this.#state.finish;
    return responseOf(this.#head, {
      status,
      output: this.#output,
      error: isError ? errorOfEnding(ending) : undefined,
      isTooLong: finish?.reason === 'length' || finish?.reason === 'max-steps',
      usage: finish?.usage,
    });
  }

  /** What the response is by now: a run that somebody has stopped is cancelled. */
  get status(): ResponseStatus {
    switch (this.ending?.kind) {
      case undefined:
        return 'in_progress';
      case 'completed':
        return this.#isTooLong ? 'incomplete' : 'completed';
      case 'stopped':
        return 'cancelled';
      default:
        return 'failed';
    }
  }

  get #isTooLong(): boolean {
    return ['length', 'max-steps'].includes(this.#state.finish?.reason ?? '');
  }

  #event(event: AgentEvent): string {
    if (event.type === 'text' || event.type === 'reasoning') return this.#delta(event.type, event.text);
    this.#state.see(event);
    return event.type === 'step' || event.type === 'tool-start' ? this.#close('completed') : '';
  }

  #delta(kind: 'text' | 'reasoning', delta: string): string {
    const type = kind === 'text' ? 'message' : 'reasoning';
    const before =
      this.#isOpen && this.#output.at(-1)?.type === type ? '' : this.#close('completed') + this.#begin(type);
    const item = this.#output.at(-1);
    if (item === undefined || item.type === 'function_call') return before;
    item.content[0].text += delta;
    const name = kind === 'text' ? 'response.output_text.delta' : 'response.reasoning_text.delta';
    return before + this.#line(name, { ...this.#place(item), delta, ...(kind === 'text' ? { logprobs: [] } : {}) });
  }

  #begin(type: 'message' | 'reasoning'): string {
    const id = `${type === 'message' ? 'msg' : 'rs'}_${this.#head.runId}_${this.#output.length}`;
    const status = 'in_progress';
    const item: Extract<OutputItem, { content: unknown }> =
      type === 'message'
        ? {
            id,
            type,
            role: 'assistant',
            status,
            content: [{ type: 'output_text', text: '', annotations: [], logprobs: [] }],
          }
        : { id, type, status, summary: [], content: [{ type: 'reasoning_text', text: '' }] };
    this.#output.push(item);
    this.#isOpen = true;
    const added = this.#line('response.output_item.added', {
      output_index: this.#last,
      item: { ...item, content: [] },
    });
    return added + this.#line('response.content_part.added', { ...this.#place(item), part: item.content[0] });
  }

  #close(status: 'completed' | 'incomplete'): string {
    const item = this.#output.at(-1);
    if (!this.#isOpen || item === undefined || item.type === 'function_call') return '';
    this.#isOpen = false;
    item.status = status;
    const [part] = item.content;
    const name = item.type === 'message' ? 'response.output_text.done' : 'response.reasoning_text.done';
    const more = item.type === 'message' ? { logprobs: [] } : {};
    return (
      this.#line(name, { ...this.#place(item), text: part.text, ...more }) +
      this.#line('response.content_part.done', { ...this.#place(item), part }) +
      this.#line('response.output_item.done', { output_index: this.#last, item })
    );
  }

  #calls(): string {
    return this.#state.clientCalls
      .map(({ callId, name, input }) => {
        const id = `fc_${this.#head.runId}_${this.#output.length}`;
        const args = JSON.stringify(input ?? {});
        const item = {
          id,
          type: 'function_call' as const,
          call_id: callId,
          name,
          arguments: args,
          status: 'completed' as const,
        };
        this.#output.push(item);
        const place = { item_id: id, output_index: this.#last };
        const begun = { ...item, arguments: '', status: 'in_progress' };
        return (
          this.#line('response.output_item.added', { output_index: this.#last, item: begun }) +
          this.#line('response.function_call_arguments.delta', { ...place, delta: args }) +
          this.#line('response.function_call_arguments.done', { ...place, name, arguments: args }) +
          this.#line('response.output_item.done', { output_index: this.#last, item })
        );
      })
      .join('');
  }

  #end(ending: Ending): string {
    const done = this.#close(ending.kind === 'completed' ? 'completed' : 'incomplete');
    if (ending.kind === 'completed') {
      const calls = this.#calls();
      const { status } = this;
      return done + calls + this.#line(`response.${status}`, { response: this.response(status) });
    }
    if (ending.kind === 'stopped') {
      const run = { id: this.#head.runId, status: 'aborted', reason: ending.reason };
      return done + this.#line('response.incomplete', { response: { ...this.response('incomplete'), x_run: run } });
    }
    return done + this.#line('response.failed', { response: this.response('failed') });
  }

  get #last(): number {
    return this.#output.length - 1;
  }

  #place({ id }: OutputItem): { item_id: string; output_index: number; content_index: 0 } {
    return { item_id: id, output_index: this.#last, content_index: 0 };
  }

  #line(type: string, fields: object): string {
    const data = JSON.stringify({ type, sequence_number: this.#seq++, ...fields });
    return `event: ${type}\ndata: ${data}\n\n`;
  }
}
