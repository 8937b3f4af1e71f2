import type { ToolEffect, TurnInput } from '../agent/index.js';
import type { ModelCall } from './call.js';
import { type AnyPart, asJson } from './messages.js';
import type { AiMessage, AiPart } from './sdk.js';

/** A part of `fullStream`, as far as it is needed. */
export interface StreamPart extends AiPart {
  readonly id?: string;
  readonly text?: string;
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly preliminary?: boolean;
  readonly providerExecuted?: boolean | undefined;
  readonly providerMetadata?: unknown;
  readonly file?: { readonly base64: string; readonly mediaType: string };
  readonly kind?: string;
  readonly finishReason?: string;
  readonly usage?: { readonly inputTokens?: number | undefined; readonly outputTokens?: number | undefined };
  readonly reason?: unknown;
}

/** Text or reasoning, while it comes. */
interface Block {
  readonly type: 'text' | 'reasoning';
  readonly blockId: string | undefined;
  text: string;
  providerOptions: unknown;
}

/** Makes a call of what the model asks for. */
export type NewCall = (sdkId: string, name: string, input: unknown) => ModelCall;

/** One answer of the model, while it streams and after. */
export class Step {
  readonly #turn: TurnInput<AiMessage>;
  readonly #newCall: NewCall;
  readonly #effectOf: (name: string) => ToolEffect;
  readonly #content: (Block | ModelCall | AnyPart)[] = [];
  #block: Block | undefined = undefined;
  /** The calls, in the order of the model. */
  calls: ModelCall[] = [];
  finish: string | undefined = undefined;
  usage: StreamPart['usage'] = undefined;
  /** What the model, or the AI SDK, has thrown. */
  readonly errors: unknown[] = [];

  constructor(turn: TurnInput<AiMessage>, newCall: NewCall, effectOf: (name: string) => ToolEffect) {
    this.#turn = turn;
    this.#newCall = newCall;
    this.#effectOf = effectOf;
  }

  /** What is not published is not kept. */
  read(part: StreamPart): void {
    const { type } = part;
    if (type.startsWith('text-')) this.#readText('text', part);
    else if (type === 'reasoning-file' || type === 'file') this.#readFile(part);
    else if (type.startsWith('reasoning-')) this.#readText('reasoning', part);
    else if (type === 'custom') this.#keep({ type, kind: part.kind }, part);
    else if (type === 'tool-call') this.#readCall(part);
    else if (type === 'tool-result' || type === 'tool-error') this.#readResult(part);
    else if (type === 'finish-step') this.#end(part);
    else if (type === 'error') this.errors.push(part.error);
    else if (type === 'abort') this.errors.push(new Error(`The AI SDK has stopped the model: ${String(part.reason)}`));
  }

  #end({ usage, finishReason }: StreamPart): void {
    this.usage = usage;
    this.finish = finishReason;
    // Its last call has half of its arguments, and the AI SDK has made none of them.
    if (!this.#isWhole) this.calls = [];
  }

  get #isWhole(): boolean {
    return this.finish === 'stop' || this.finish === 'tool-calls';
  }

  #readText(type: Block['type'], { id, text, providerMetadata }: StreamPart): void {
    let block = this.#block;
    if (block?.blockId !== id || block?.type !== type) block = this.#blockOf(type, id);
    if (text && this.#turn.emit({ type, text })) block.text += text;
    if (providerMetadata != null) block.providerOptions = providerMetadata;
  }

  #blockOf(type: Block['type'], id: string | undefined): Block {
    let block = this.#content.find((one): one is Block => 'blockId' in one && one.blockId === id && one.type === type);
    if (block === undefined) {
      block = { type, blockId: id, text: '', providerOptions: undefined };
      this.#content.push(block);
    }
    this.#block = block;
    return block;
  }

  #readFile(part: StreamPart): void {
    const { base64, mediaType = '' } = part.file ?? {};
    this.#keep({ type: part.type, data: base64, mediaType }, part);
  }

  #readCall(part: StreamPart): void {
    const { toolCallId = '', toolName = '', input, providerExecuted, providerMetadata } = part;
    if (providerExecuted === true) {
      const effect = this.#effectOf(toolName);
      this.#turn.emit({ type: 'tool-start', callId: toolCallId, name: toolName, input: asJson(input), effect });
      this.#keep({ type: 'tool-call', toolCallId, toolName, input, providerExecuted }, part);
      return;
    }
    const call = this.claim('isRead', toolCallId, toolName, input);
    call.providerOptions = providerMetadata ?? undefined;
    this.#content.push(call);
  }

  #readResult(part: StreamPart): void {
    const { toolCallId = '', toolName = '', providerExecuted } = part;
    if (part.preliminary === true) return;
    const failed = part.type === 'tool-error';
    if (providerExecuted !== true) {
      if (failed) this.calls.find((call) => call.sdkId === toolCallId && !call.isMade)?.refuse(this.#turn, part.error);
      return;
    }
    const value = asJson(failed ? part.error : part.output);
    const type = failed ? 'error-json' : typeof value === 'string' ? 'text' : 'json';
    this.#keep({ type: 'tool-result', toolCallId, toolName, output: { type, value } }, part);
    this.#turn.emit({
      type: 'tool-end',
      callId: toolCallId,
      name: toolName,
      status: failed ? 'error' : 'ok',
      output: value,
    });
  }

  #keep(part: AnyPart, { providerMetadata }: StreamPart): void {
    this.#content.push(providerMetadata == null ? part : { ...part, providerOptions: providerMetadata });
  }

  /** A call by the id of the AI SDK, which may call a tool before its part is read. Models repeat their ids. */
  claim(by: 'isRead' | 'isMade', sdkId: string, name: string, input: unknown): ModelCall {
    let call = this.calls.find((one) => one.sdkId === sdkId && !one[by]);
    if (call === undefined) {
      call = this.#newCall(sdkId, name, input);
      this.calls.push(call);
    }
    call[by] = true;
    return call;
  }

  messages(close: (call: ModelCall) => AnyPart | undefined): AiMessage[] {
    const { calls } = this;
    const unread = calls.filter((call) => !call.isRead).map((call) => call.toPart());
    const content = [...this.#content.flatMap((part) => this.#partsOf(part)), ...unread];
    if (!content.some(({ type, text = '' }) => (type === 'text' ? text.trim() !== '' : type !== 'reasoning')))
      return [];
    const results = calls.flatMap((call) => close(call) ?? []);
    const said: AiMessage = { role: 'assistant', content };
    return results.length === 0 ? [said] : [said, { role: 'tool', content: results }];
  }

  #partsOf(part: Block | ModelCall | AnyPart): AnyPart[] {
    if ('sdkId' in part) return this.calls.includes(part) ? [part.toPart()] : [];
    const { type } = part;
    if ('blockId' in part) {
      const { text, providerOptions } = part;
      // Providers refuse reasoning that nothing follows.
      const isIdle = type === 'reasoning' ? !this.#isWhole && this.calls.length === 0 : text === '';
      if (isIdle && (type === 'reasoning' || providerOptions === undefined)) return [];
      return [providerOptions === undefined ? { type, text } : { type, text, providerOptions }];
    }
    const isOpen = type === 'tool-call' && !this.#content.some((one) => isResultOf(one, part.toolCallId));
    return isOpen && !this.#isWhole ? [] : [part];
  }
}

function isResultOf(part: object, toolCallId: string | undefined): boolean {
  const { type, toolCallId: of } = part as AnyPart;
  return type === 'tool-result' && of === toolCallId;
}
