import { type Cut, errorText, type ToolEffect, type TurnInput } from '../agent/index.js';
import { toolContextOf, withContext } from '../framework/index.js';
import type { Awaitable, Run } from '../index.js';
import { closing } from './close.js';
import { outputText, toolMessage } from './messages.js';
import type { LangGraphCall, LangGraphMessage, ToolConfig } from './sdk.js';

/** What a tool is. */
export interface GateToolOptions {
  /** Its name; by default that of the call, as LangChain says it. */
  readonly name?: string;
  /** What may happen if it is called twice; `unsafe` by default. */
  readonly effect?: ToolEffect;
  /** Whether a person is asked before each call, or a function of the input that says so. */
  readonly needsApproval?: boolean | ((input: never) => Awaitable<boolean>);
}

/** `started`: it may take effect. `done`: it has its result. */
type State =
  | { readonly at: 'started'; readonly call: LangGraphCall }
  | { readonly at: 'done'; readonly message: LangGraphMessage };

/** The calls of a turn: their functions start behind the gate, and each has one end. */
export class Calls {
  readonly #run: Run;
  readonly #input: TurnInput<LangGraphMessage>;
  readonly #states = new Map<string, State>();
  /** The ids of the calls that the model has asked for, in its order, until they are made: models repeat ids. */
  readonly #asked: (string | undefined)[] = [];
  isOver = false;

  constructor(run: Run, input: TurnInput<LangGraphMessage>) {
    this.#run = run;
    this.#input = input;
  }

  /** The model has asked for calls. */
  ask(calls: readonly LangGraphCall[]): void {
    this.#asked.push(...calls.map(({ id }) => id));
  }

  /** Its place among the calls of the turn. A node that asks no model may call tools, too. */
  #ordinalOf(callId: string): number {
    const at = this.#asked.indexOf(callId);
    if (at < 0) return this.#asked.push(undefined);
    this.#asked[at] = undefined;
    return at + 1;
  }

  /** What is started and in no answer that the turn knows of: a graph inside the graph has asked for it. */
  unseen(messages: readonly LangGraphMessage[]): LangGraphCall[] {
    const seen = new Set(messages.flatMap(({ tool_calls = [] }) => tool_calls.map(({ id }) => id)));
    return [...this.#states.values()].flatMap((state) =>
      state.at === 'started' && !seen.has(state.call.id) ? [state.call] : [],
    );
  }

  /** The result is in the state. One that was given without the function, such as for a tool that is not there, is told now. */
  answer(message: LangGraphMessage): void {
    const { tool_call_id = '', name = '', status } = message;
    if (this.#states.get(tool_call_id)?.at !== 'done')
      this.#end(tool_call_id, name, status === 'error' ? 'error' : 'ok', outputText(message));
  }

  /** What the model is told of a call without a result. */
  resultOf(call: LangGraphCall, cut: Cut | undefined): LangGraphMessage {
    const state = this.#states.get(call.id ?? '');
    if (state?.at === 'done') return state.message;
    // Of a turn that is under way, a record may be the last that is heard: it must not say that nothing has started.
    const isOpen = state === undefined && (cut !== undefined || this.isOver);
    return closing(call, isOpen ? 'not-started' : 'unknown', cut);
  }

  /** The innermost function: LangChain's `tool` lets go of it at the stop, and a gate around that would hear no more of it. */
  gate<I, C extends object, R>(
    tool: (input: I, config: C) => Awaitable<R>,
    options: GateToolOptions,
  ): (input: I, config: C) => Promise<R | string> {
    const { effect = 'unsafe', needsApproval = false } = options;
    return async (input, config) => {
      const { toolCall, toolCallId } = config as ToolConfig;
      const name = options.name ?? toolCall?.name ?? (tool.name || 'tool');
      const call = { callId: toolCall?.id ?? toolCallId ?? '', name, input };
      const ordinal = this.#ordinalOf(call.callId);
      await caughtUp();
      if (this.isOver) throw new Error('The turn has gone on without this call.');
      const asks = typeof needsApproval === 'function' ? await needsApproval(input as never) : needsApproval;
      if (asks) {
        const { approved, note } = await this.#input.approve(call);
        const text = note === undefined ? '[refused by the user]' : `[refused by the user: ${note}]`;
        if (!approved) return this.#end(call.callId, name, 'not-started', text);
      }
      if (effect === 'unsafe') await this.#input.beforeUnsafe();
      const asked = { ...call, ordinal, input: toolCall?.args ?? input };
      const context = toolContextOf(this.#run, asked, (event, data) =>
        this.#input.emit({ type: 'data', name: event, data }),
      );
      const start = this.#run.gate(
        async () => {
          if (!this.#input.emit({ type: 'tool-start', ...call, effect })) return '';
          const open = { type: 'tool_call', id: call.callId, name, args: input } as const;
          this.#states.set(call.callId, { at: 'started', call: open });
          return await this.#execute(call.callId, name, () => tool(input, withContext(config, context)));
        },
        { name },
      );
      return await start();
    };
  }

  /** Inside the gate: a result counts that is there before the cut. */
  async #execute<R>(callId: string, name: string, execute: () => Awaitable<R>): Promise<R> {
    try {
      const output = await execute();
      this.#end(callId, name, 'ok', outputText(output), output);
      return output;
    } catch (error) {
      this.#end(callId, name, 'error', `error: ${errorText(error)}`);
      throw error;
    }
  }

  #end(
    callId: string,
    name: string,
    status: 'ok' | 'error' | 'not-started',
    text: string,
    output: unknown = text,
  ): string {
    if (this.#run.status !== 'running') return text;
    this.#states.set(callId, { at: 'done', message: toolMessage(callId, name, text, status !== 'ok') });
    this.#input.emit({ type: 'tool-end', callId, name, status, output });
    return text;
  }
}

/** LangGraph calls a tool before anybody has read what it has streamed, and text comes before its calls. */
function caughtUp(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
