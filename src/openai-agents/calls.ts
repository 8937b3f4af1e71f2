import { type Cut, closingText, errorText, type TurnInput } from '../agent/index.js';
import { toolContextOf, withContext } from '../framework/index.js';
import type { Run } from '../index.js';
import type { OpenAIAgentsOptions } from './agent.js';
import { changed, type Gates } from './gate.js';
import { isObject, parsed } from './items.js';
import { FAILED, outputText } from './messages.js';
import type { AgentsItem, FunctionTool } from './sdk.js';

/** `open`: it has not started. `started`: it may take effect from now on. `done`: it has its result. */
type State = { readonly at: 'open' | 'started' } | { readonly at: 'done'; readonly text: string };

/** The calls of a turn, from the model's answer to their results: they start behind the gate, and each has one end. */
export class Calls implements Gates {
  readonly #run: Run;
  readonly #input: TurnInput<AgentsItem>;
  readonly #effects: OpenAIAgentsOptions['effects'];
  /** By the item itself: models repeat ids. */
  readonly #states = new Map<AgentsItem, State>();
  readonly #announced: AgentsItem[] = [];
  readonly #handoffs = new Set<string>();
  #isOver = false;
  /** The run of the package that calls may come from: one that was given up may still ask. */
  #attempt = 0;
  #waiting: (() => void)[] = [];

  constructor(run: Run, input: TurnInput<AgentsItem>, effects: OpenAIAgentsOptions['effects']) {
    this.#run = run;
    this.#input = input;
    this.#effects = effects;
  }

  /** The stream has come to a call. */
  announce(item: AgentsItem): void {
    this.#announced.push(item);
    this.#wake();
  }

  /** Another run of the package begins: no call of one before it starts any more. */
  renew(): void {
    this.#attempt += 1;
    this.#wake();
  }

  /** Nothing of the turn starts any more. */
  close(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** The result is in the stream. One that was given without a call of the tool, such as for a tool that is not there, is told now. */
  answer({ callId, output }: AgentsItem): void {
    const call = this.#announced.find((item) => item.callId === callId && this.#stateOf(item).at !== 'done');
    if (call !== undefined)
      this.#end(call, 'error', outputText((output as { readonly text?: unknown })?.text ?? output));
  }

  /** What the model is told of a call without a result. */
  resultOf(call: AgentsItem, cut: Cut | undefined): string {
    const state = this.#stateOf(call);
    if (state.at === 'done') return state.text;
    // Of a turn that is under way, a record may be the last that is heard: it must not say that nothing has started.
    const isKnown = cut !== undefined || this.#isOver;
    const isOpen = state.at === 'open' && isKnown && !this.#handoffs.has(call.name ?? '');
    return closingText(isOpen ? 'not-started' : 'unknown', cut);
  }

  handoff<A extends unknown[], R>(name: string, invoke: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return this.#run.gate(
      (...args: A) => {
        this.#handoffs.add(name);
        return invoke(...args);
      },
      { name },
    );
  }

  /**
   * Approvals are the runner's: the package would end its run with each, and a stop would not void them.
   *
   * @param unasked - the package's own `needsApproval` that never asks. With any other one, the package asks about arguments that are
   *   no JSON
   */
  tool(tool: FunctionTool, unasked: FunctionTool['needsApproval']): FunctionTool {
    const invoke: FunctionTool['invoke'] = async (context, text, details) => {
      const item = await this.#claim(details?.toolCall?.callId);
      const call = { callId: item.callId ?? '', name: tool.name, input: parsed(text) };
      if (!isObject(call.input)) return this.#end(item, 'error', 'error: the arguments are no JSON object');
      if ((await tool.needsApproval?.(context, call.input, item.callId)) === true) {
        const { approved, note } = await this.#input.approve(call);
        if (!approved) {
          return this.#end(
            item,
            'not-started',
            note === undefined ? '[refused by the user]' : `[refused by the user: ${note}]`,
          );
        }
      }
      const effect = this.#effects?.[tool.name] ?? 'unsafe';
      if (effect === 'unsafe') await this.#input.beforeUnsafe();
      const ordinal = this.#announced.indexOf(item) + 1;
      const given = withContext(
        details ?? {},
        toolContextOf(this.#run, { ...call, ordinal }, (name, data) => this.#input.emit({ type: 'data', name, data })),
      );
      const start = this.#run.gate(
        async () => {
          if (!this.#input.emit({ type: 'tool-start', ...call, effect })) return undefined;
          this.#states.set(item, { at: 'started' });
          return await this.#execute(item, () => tool.invoke(context, text, given));
        },
        { name: tool.name },
      );
      return await start();
    };
    return changed(tool, unasked === undefined ? { invoke } : { invoke, needsApproval: unasked });
  }

  /** Inside the gate: a result counts that is there before the cut. */
  async #execute(item: AgentsItem, invoke: () => Promise<unknown>): Promise<unknown> {
    try {
      const output = await invoke();
      const text = outputText(output);
      this.#end(item, FAILED.test(text) ? 'error' : 'ok', text, output);
      return output;
    } catch (error) {
      this.#end(item, 'error', `error: ${errorText(error)}`);
      throw error;
    }
  }

  /** Its item. The package calls the tool before anybody has read what it has streamed, and text comes before its calls. */
  async #claim(callId: string | undefined): Promise<AgentsItem> {
    for (const attempt = this.#attempt; ; ) {
      if (this.#isOver || this.#attempt !== attempt) throw new Error('The turn has gone on without this call.');
      const item = this.#announced.find((one) => one.callId === callId && !this.#states.has(one));
      if (item !== undefined) {
        this.#states.set(item, { at: 'open' });
        return item;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #stateOf(item: AgentsItem): State {
    return this.#states.get(item) ?? { at: 'open' };
  }

  #end(item: AgentsItem, status: 'ok' | 'error' | 'not-started', text: string, output: unknown = text): string {
    if (this.#run.status !== 'running' || this.#stateOf(item).at === 'done') return text;
    this.#states.set(item, { at: 'done', text });
    this.#input.emit({ type: 'tool-end', callId: item.callId ?? '', name: item.name ?? '', status, output });
    return text;
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
