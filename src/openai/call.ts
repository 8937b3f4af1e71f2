import { type Cut, closingText, errorText, type TurnInput } from '../agent/index.js';
import { throwIfCut, toolContextOf } from '../framework/index.js';
import type { Run } from '../index.js';
import type { OpenAICall, OpenAIMessage } from './client.js';
import { outputText } from './messages.js';
import { validInput } from './schema.js';
import type { OpenAITool } from './tool.js';

/** `open`: it has not started. `started`: it may take effect from now on. `done`: it has its result. */
type State = { readonly at: 'open' | 'started' } | { readonly at: 'done'; readonly output: string };

/** A call as it came in pieces: its id, its name, and its arguments as text. */
export interface StreamedCall {
  id: string;
  name: string;
  text: string;
}

/** A call that the model has asked for, from the end of its answer to its result. */
export class ModelCall {
  readonly id: string;
  readonly name: string;
  readonly #tool: OpenAITool | undefined;
  readonly #ordinal: number;
  #text: string;
  #state: State = { at: 'open' };

  constructor(call: StreamedCall, tool: OpenAITool | undefined, ordinal: number) {
    this.id = call.id;
    this.name = call.name;
    this.#text = call.text === '' ? '{}' : call.text;
    this.#tool = tool;
    this.#ordinal = ordinal;
  }

  /** The client runs it: it may stay open at the end of the turn. */
  get isClients(): boolean {
    return this.#state.at === 'open' && this.#tool !== undefined && this.#tool.execute === undefined;
  }

  toParam(): OpenAICall {
    return { id: this.id, type: 'function', function: { name: this.name, arguments: this.#text } };
  }

  /** The client is told of it, and the turn ends. */
  handOver(turn: TurnInput<OpenAIMessage>): void {
    const effect = this.#tool?.effect ?? 'unsafe';
    turn.emit({ type: 'tool-start', callId: this.id, name: this.name, input: JSON.parse(this.#text), effect });
  }

  /** The user has said something else before the client was told of it. */
  skip(turn: TurnInput<OpenAIMessage>): void {
    this.#end(turn, 'not-started', '[not started: the user has said something else]');
  }

  /** What the model is told of it. `isOver`: nothing of the turn starts any more. */
  result(cut: Cut | undefined, isOver: boolean): string | undefined {
    if (this.#state.at === 'done') return this.#state.output;
    if (cut === undefined && this.isClients) return undefined;
    // Of a turn that is under way, a record may be the last that is heard: it must not say that nothing has started.
    const isKnown = cut !== undefined || isOver;
    return closingText(this.#state.at === 'open' && isKnown ? 'not-started' : 'unknown', cut);
  }

  /**
   * Makes the call. Whatever is wrong with it or in it is its result.
   *
   * @throws the abort, and what the history throws before an unsafe tool: then it has not started
   */
  async make(run: Run, turn: TurnInput<OpenAIMessage>): Promise<void> {
    let input: unknown;
    let value: unknown;
    let isAsked: boolean;
    try {
      input = this.#parse();
      value = await validInput(this.#tool?.parameters, input);
      throwIfCut(run);
      isAsked = this.#tool?.execute !== undefined && (await this.#tool.needsApproval(value));
    } catch (error) {
      throwIfCut(run);
      this.#end(turn, 'error', `error: ${errorText(error)}`);
      return;
    }
    throwIfCut(run);
    const tool = this.#tool;
    if (tool?.execute === undefined) return;
    const call = { callId: this.id, name: this.name, input };
    const { approved, note } = isAsked ? await turn.approve(call) : { approved: true };
    if (!approved) {
      throwIfCut(run);
      this.#end(turn, 'not-started', note === undefined ? '[refused by the user]' : `[refused by the user: ${note}]`);
      return;
    }
    // Without an await: calls of one batch start in the order in which the model asked for them.
    if (tool.effect === 'unsafe') await turn.beforeUnsafe();
    const context = toolContextOf(run, { ...call, ordinal: this.#ordinal }, (name, data) =>
      turn.emit({ type: 'data', name, data }),
    );
    const start = run.gate(
      async () => {
        if (!turn.emit({ type: 'tool-start', ...call, effect: tool.effect })) return;
        this.#state = { at: 'started' };
        await this.#execute(run, turn, () => tool.execute?.(value, context));
      },
      { name: this.name },
    );
    await start();
  }

  /** Inside the gate: a result counts that is there before the cut. Of a later one, the receipt says that it is not known. */
  async #execute(run: Run, turn: TurnInput<OpenAIMessage>, execute: () => unknown): Promise<void> {
    let end: readonly ['ok' | 'error', string, unknown?];
    try {
      const output = await execute();
      if (Symbol.asyncIterator in Object(output)) throw new TypeError('the tool gave a stream, and must give a value');
      end = ['ok', outputText(output), output];
    } catch (error) {
      // Its error after the stop is for the receipt, not for the model.
      if (run.status !== 'running') throw error;
      end = ['error', `error: ${errorText(error)}`];
    }
    if (run.status === 'running') this.#end(turn, ...end);
  }

  #end(
    turn: TurnInput<OpenAIMessage>,
    status: 'ok' | 'error' | 'not-started',
    text: string,
    output: unknown = text,
  ): void {
    this.#state = { at: 'done', output: text };
    turn.emit({ type: 'tool-end', callId: this.id, name: this.name, status, output });
  }

  #parse(): unknown {
    let input: unknown;
    try {
      input = JSON.parse(this.#text);
    } catch {
      input = undefined;
    }
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      // A transcript with it would be refused.
      const text = this.#text;
      this.#text = '{}';
      throw new TypeError(`the arguments are no JSON object: ${text.slice(0, 200)}`);
    }
    if (this.#tool === undefined) throw new TypeError(`there is no tool ${this.name}`);
    return input;
  }
}
