import { type Cut, closingText, errorText, type ToolEffect, type TurnInput } from '../agent/index.js';
import { throwIfCut, toolContextOf, withContext } from '../framework/index.js';
import type { Run } from '../index.js';
import { closing, resultOf } from './close.js';
import { type AnyPart, asJson, type ToolOutput } from './messages.js';
import type { AiMessage, AiTool } from './sdk.js';

/** `open`: it has not started. `started`: it may take effect from now on. `done`: it has its result. */
type State = { readonly at: 'open' | 'started' } | { readonly at: 'done'; readonly output: ToolOutput };

/** What the model asks for, as the AI SDK tells it. */
export interface AskedCall {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  readonly ordinal: number;
  /** Its tool, if there is one of that name. */
  readonly tool: AiTool | undefined;
}

type Input = TurnInput<AiMessage>;
type Options = { readonly toolCallId: string };
type Execute = (input: unknown, options: object) => unknown;

const END: IteratorResult<undefined> = Object.freeze({ done: true, value: undefined });

/** A call that the model has asked for, from there to its result. */
export class ModelCall {
  /** The id that the AI SDK knows it by: it may have been there before. */
  readonly sdkId: string;
  /** Its part of the stream has been read. */
  isRead = false;
  /** The AI SDK has called its tool. */
  isMade = false;
  /** What the provider wants back beside it. */
  providerOptions: unknown = undefined;
  readonly #asked: AskedCall;
  #state: State = { at: 'open' };

  constructor(sdkId: string, asked: AskedCall) {
    this.sdkId = sdkId;
    this.#asked = asked;
  }

  get name(): string {
    return this.#asked.name;
  }

  get isDone(): boolean {
    return this.#state.at === 'done';
  }

  /** The client runs it: it may stay open at the end of the turn. */
  get isClients(): boolean {
    const { tool } = this.#asked;
    return this.#state.at === 'open' && tool !== undefined && tool.execute === undefined;
  }

  toPart(): AnyPart {
    const { id, name, input } = this.#asked;
    const { providerOptions } = this;
    const call = { type: 'tool-call', toolCallId: id, toolName: name, input };
    return providerOptions === undefined ? call : { ...call, providerOptions };
  }

  /** The client is told of it, and the turn ends. */
  handOver(turn: Input, effect: ToolEffect): void {
    turn.emit({ type: 'tool-start', ...this.#call, effect });
  }

  /** The user has said something else before the client was told of it. */
  skip(turn: Input): void {
    const value = '[not started: the user has said something else]';
    this.#end(turn, 'not-started', { type: 'error-text', value }, value);
  }

  /** Its arguments did not fit, or there is no such tool: the AI SDK has told why. */
  refuse(turn: Input, error: unknown): void {
    if (this.#state.at === 'open') this.#fail(turn, error);
  }

  /** What the model is told of it. `isOver`: nothing of the turn starts any more. */
  result(cut: Cut | undefined, isOver: boolean): AnyPart | undefined {
    if (this.#state.at === 'done') return resultOf(this.toPart(), this.#state.output);
    if (cut === undefined && this.isClients) return undefined;
    // Of a turn that is under way, a record may be the last that is heard: it must not say that nothing has started.
    const isKnown = cut !== undefined || isOver;
    return closing(this.toPart(), this.#state.at === 'open' && isKnown ? 'not-started' : 'unknown', cut);
  }

  /**
   * Makes the call, for the AI SDK.
   *
   * @param input - what its schema has made of the arguments
   * @returns the tool's result
   * @throws what the tool throws: then it `isDone`; the abort, and what the history throws before an unsafe tool: then not
   */
  async make(run: Run, turn: Input, effect: ToolEffect, input: unknown, options: Options): Promise<unknown> {
    const { needsApproval } = this.#asked.tool as AiTool;
    throwIfCut(run);
    let isAsked: unknown;
    try {
      isAsked = typeof needsApproval === 'function' ? await (needsApproval as Execute)(input, options) : needsApproval;
    } catch (error) {
      throwIfCut(run);
      this.#fail(turn, error);
      throw readable(error);
    }
    throwIfCut(run);
    if (isAsked === true) {
      const { approved, note } = await turn.approve(this.#call);
      throwIfCut(run);
      if (!approved) {
        const reason = note === undefined ? '[refused by the user]' : `[refused by the user: ${note}]`;
        this.#end(turn, 'not-started', { type: 'execution-denied', reason }, reason);
        throw new Error(reason);
      }
    }
    if (effect === 'unsafe') await turn.beforeUnsafe();
    let output: unknown;
    const keep = (value: unknown): void => {
      output = value;
    };
    const start = run.gateStream(() => this.#start(run, turn, effect, input, options, keep), {
      name: this.#asked.name,
    });
    const items = start();
    while ((await items.next()).done !== true);
    if (!this.isDone) throw new Error(closingText('not-started'));
    return output;
  }

  /** Inside the gate: a result counts that is there before the cut. Of a later one, the receipt says that it is not known. */
  #start(
    run: Run,
    turn: Input,
    effect: ToolEffect,
    input: unknown,
    options: Options,
    keep: (output: unknown) => void,
  ): AsyncIterable<undefined> {
    const { ordinal, tool } = this.#asked;
    const emit = (event: string, data: unknown): boolean => turn.emit({ type: 'data', name: event, data });
    const context = withContext(options, toolContextOf(run, { ...this.#call, ordinal }, emit));
    let items: AsyncIterator<unknown> | undefined;
    let last: unknown;
    const step = async (): Promise<IteratorResult<undefined>> => {
      if (this.#state.at === 'open') {
        if (!turn.emit({ type: 'tool-start', ...this.#call, effect })) return END;
        this.#state = { at: 'started' };
        const given = Reflect.apply(tool?.execute as Execute, tool, [input, context]);
        if (isIterable(given)) items = given[Symbol.asyncIterator]();
        else last = await given;
      }
      const item = await items?.next();
      if (item !== undefined && item.done !== true) {
        last = item.value;
        emit('tool-progress', { callId: this.#asked.id, output: last });
        return { done: false, value: undefined };
      }
      const shown = await shownOf(this.#asked.tool, options, input, last);
      keep(last);
      if (run.status === 'running') this.#end(turn, 'ok', shown, last);
      return END;
    };
    let pull: Promise<unknown> | undefined;
    const next = (): Promise<IteratorResult<undefined>> => {
      const asked = step().catch((error: unknown) => {
        // Its error after the stop is for the receipt, not for the model.
        if (run.status === 'running') this.#fail(turn, error);
        throw readable(error);
      });
      pull = asked.catch(() => {});
      return asked;
    };
    const stop = async (): Promise<IteratorResult<undefined>> => {
      await (items?.return === undefined ? pull : items.return());
      return END;
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: stop }) };
  }

  get #call(): { readonly callId: string; readonly name: string; readonly input: unknown } {
    const { id: callId, name, input } = this.#asked;
    return { callId, name, input };
  }

  #fail(turn: Input, error: unknown): void {
    const value = errorText(error);
    this.#end(turn, 'error', { type: 'error-text', value }, value);
  }

  #end(turn: Input, status: 'ok' | 'error' | 'not-started', shown: ToolOutput, output: unknown): void {
    const { id: callId, name } = this.#asked;
    this.#state = { at: 'done', output: shown };
    turn.emit({ type: 'tool-end', callId, name, status, output });
  }
}

/** The AI SDK breaks the stream off at an error that it cannot read, and leaves a rejection that nobody hears. */
function readable(error: unknown): unknown {
  try {
    const { name, message, stack } = Object(error) as Error;
    void [name, message, stack];
    return error;
  } catch {
    return new Error(errorText(error));
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as AsyncIterable<unknown> | null | undefined)?.[Symbol.asyncIterator] === 'function';
}

/** What the model is shown of a result, as the AI SDK makes it. */
async function shownOf(
  tool: AiTool | undefined,
  { toolCallId }: Options,
  input: unknown,
  output: unknown,
): Promise<ToolOutput> {
  const convert = tool?.toModelOutput as ((call: object) => unknown) | undefined;
  if (convert !== undefined) return asJson(await convert.call(tool, { toolCallId, input, output })) as ToolOutput;
  const value = asJson(output);
  return { type: typeof value === 'string' ? 'text' : 'json', value };
}
