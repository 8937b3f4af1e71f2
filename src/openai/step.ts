import type { TurnInput } from '../agent/index.js';
import type { ModelCall, StreamedCall } from './call.js';
import type { OpenAIChunk, OpenAIMessage } from './client.js';
import { assistantMessage } from './messages.js';

type Delta = OpenAIChunk['choices'][number]['delta'] & {
  readonly reasoning_content?: string | null;
  readonly reasoning?: string | null;
};

/** One answer of the model, while it streams and after. */
export class Step {
  readonly #emit: TurnInput<OpenAIMessage>['emit'];
  #text = '';
  #reasoning = '';
  readonly #streaming: (StreamedCall & { readonly index: number | undefined })[] = [];
  /** The calls, once all of them are whole: what was half-streamed is never kept. */
  calls: readonly ModelCall[] = [];
  finish: string | undefined = undefined;
  usage: OpenAIChunk['usage'] = undefined;

  constructor(emit: TurnInput<OpenAIMessage>['emit']) {
    this.#emit = emit;
  }

  /** What is not published is not kept. */
  read({ choices, usage }: OpenAIChunk): void {
    // Some send it with every chunk: the last one counts.
    if (usage != null) this.usage = usage;
    const [choice] = choices;
    if (choice === undefined) return;
    const { content, refusal, reasoning_content, reasoning, tool_calls } = choice.delta as Delta;
    const thought = reasoning_content ?? reasoning;
    if (thought && this.#emit({ type: 'reasoning', text: thought })) this.#reasoning += reasoning_content ?? '';
    const text = content || refusal;
    if (text && this.#emit({ type: 'text', text })) this.#text += text;
    if (tool_calls) for (const part of tool_calls) this.#callOf(part).text += part.function?.arguments ?? '';
    if (choice.finish_reason) this.finish = choice.finish_reason;
  }

  /** The call that a piece belongs to. Some providers give no index, or give the same one to every call of a batch. */
  #callOf({ index, id, function: named }: NonNullable<Delta['tool_calls']>[number]): StreamedCall {
    const last = this.#streaming.findLast((call) => index === undefined || call.index === index);
    const isNew = last === undefined || (id && last.id !== '' && last.id !== id);
    const call = isNew ? { index, id: '', name: '', text: '' } : last;
    if (isNew) this.#streaming.push(call);
    call.id ||= id ?? '';
    call.name ||= named?.name ?? '';
    return call;
  }

  /** The answer is whole: its calls may start, unless the model was cut in the middle of them. */
  settle(newCall: (call: StreamedCall) => ModelCall): void {
    if (this.finish === 'stop' || this.finish === 'tool_calls') this.calls = this.#streaming.map(newCall);
  }

  messages(close: (call: ModelCall) => string | undefined): OpenAIMessage[] {
    if (this.#text.trim() === '' && this.calls.length === 0) return [];
    const calls = this.calls.map((call) => call.toParam());
    const results = this.calls.flatMap((call): OpenAIMessage[] => {
      const content = close(call);
      return content === undefined ? [] : [{ role: 'tool', tool_call_id: call.id, content }];
    });
    return [assistantMessage(this.#text, calls, this.#reasoning), ...results];
  }
}
