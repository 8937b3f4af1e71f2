import type { Finish, TurnInput } from '../agent/index.js';
import { saidItem } from './items.js';
import { partsOf } from './messages.js';
import type { AgentsItem, ModelEvent, RawEvent } from './sdk.js';

const REASONING: readonly (string | undefined)[] = [
  'response.reasoning_summary_text.delta',
  'response.reasoning_text.delta',
];

/** One answer of the model, while it streams. */
export class Response {
  readonly #emit: TurnInput<AgentsItem>['emit'];
  #text = '';
  /** What the provider says of the end; `undefined` before, and for a model that never says. */
  #finish: string | undefined = undefined;
  #hasChunks = false;

  constructor(emit: TurnInput<AgentsItem>['emit']) {
    this.#emit = emit;
  }

  /** What is published and no item of the transcript yet. */
  get partial(): AgentsItem[] {
    return this.#text.trim() === '' ? [] : [saidItem(this.#text, 'incomplete')];
  }

  get reason(): Finish['reason'] {
    if (this.#finish === undefined || this.#finish === 'stop' || this.#finish === 'tool_calls') return 'stop';
    return this.#finish === 'length' ? 'length' : 'other';
  }

  /** The model was cut in the middle of its calls. */
  isCutIn({ response }: ModelEvent): boolean {
    return this.reason !== 'stop' && response?.output.some(({ type }) => type === 'function_call') === true;
  }

  read({ type, delta, event }: ModelEvent): void {
    if (type === 'output_text_delta') this.#say(delta);
    else if (type === 'model') this.#readRaw(event);
    else if (type === 'response_done' && this.#hasChunks && this.#finish === undefined)
      throw new Error('The stream of the model ended without a finish_reason.');
  }

  /** The message is whole: what of it has not been streamed, such as a refusal, is published now. */
  settle({ content }: AgentsItem): void {
    const whole = partsOf(content)
      .map((part) => (part.type === 'text' ? part.text : ''))
      .join('');
    if (whole.startsWith(this.#text)) this.#say(whole.slice(this.#text.length));
    this.#text = '';
  }

  #say(text: string | undefined): void {
    if (text && this.#emit({ type: 'text', text })) this.#text += text;
  }

  /** The package itself takes a stream that broke off for one that ended. */
  #readRaw(event: RawEvent | undefined): void {
    const choice = event?.choices?.[0];
    if (choice !== undefined) {
      this.#hasChunks = true;
      if (choice.finish_reason) this.#finish = choice.finish_reason;
      const thought = choice.delta?.reasoning ?? choice.delta?.reasoning_content;
      if (thought) this.#emit({ type: 'reasoning', text: thought });
    } else if (event?.type === 'response.incomplete') {
      this.#finish = event.response?.incomplete_details?.reason === 'max_output_tokens' ? 'length' : 'content_filter';
    } else if (event?.delta && REASONING.includes(event.type)) {
      this.#emit({ type: 'reasoning', text: event.delta });
    }
  }
}
