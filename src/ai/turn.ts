import { type Cut, type Finish, Inbox, type ToolEffect, type Turn, type TurnInput } from '../agent/index.js';
import { throwIfCut } from '../framework/index.js';
import { isRunAbortedError, type Run } from '../index.js';
import type { AiAgentOptions } from './agent.js';
import { ModelCall } from './call.js';
import { asJson } from './messages.js';
import type { AiMessage, AiResult, AiTool, StreamText } from './sdk.js';
import { itemsOf } from './source.js';
import { Step, type StreamPart } from './step.js';

/** The options as the turn needs them. */
export type Settings = AiAgentOptions<StreamText>;

/** One turn: a step is a request and the calls that its answer asks for. Each is a `streamText` of its own. */
export class AiTurn implements Turn<AiMessage> {
  readonly done: Promise<Finish>;
  readonly #options: Settings;
  readonly #run: Run;
  readonly #input: TurnInput<AiMessage>;
  readonly #entries: (Step | readonly AiMessage[])[] = [];
  readonly #inbox: Inbox<AiMessage> = new Inbox();
  readonly #callIds = new Set<string>();
  readonly #failures: unknown[] = [];
  readonly #steps: unknown[] = [];
  #before: Promise<unknown> = Promise.resolve();
  #isOver = false;

  constructor(options: Settings, run: Run, input: TurnInput<AiMessage>) {
    this.#options = options;
    this.#run = run;
    this.#input = input;
    this.done = this.#converse()
      .catch((error: unknown) => {
        // What the AI SDK makes of the stop is no error of the model's.
        throwIfCut(run);
        throw error;
      })
      .finally(() => {
        this.#isOver = true;
        this.#inbox.close();
      });
    this.done.catch(() => {});
  }

  snapshot(cut?: Cut): AiMessage[] {
    const said = this.#entries.flatMap((entry) =>
      entry instanceof Step ? entry.messages((call) => call.result(cut, this.#isOver)) : entry,
    );
    return [...said, ...this.#inbox.peek()];
  }

  steer(messages: readonly AiMessage[]): boolean {
    return this.#run.isCurrent() && this.#inbox.push(messages);
  }

  async #converse(): Promise<Finish> {
    const usage = { input: 0, output: 0 };
    const { maxSteps = 20 } = this.#options;
    for (let count = 1; ; count++) {
      const steered = this.#inbox.take();
      if (steered.length > 0) {
        this.#entries.push(steered);
        // A word of the user's is answered, also if the model has used up its steps before.
        count = 1;
      }
      const step = await this.#ask();
      usage.input += step.usage?.inputTokens ?? 0;
      usage.output += step.usage?.outputTokens ?? 0;
      if (step.calls.length > 0) this.#input.emit({ type: 'step' });
      const isEnough = step.calls.length > 0 && (count >= maxSteps || (await this.#isEnough()));
      throwIfCut(this.#run);
      const reason = this.#endOf(step, isEnough);
      if (reason !== undefined) return { reason, usage };
    }
  }

  /** The decision to end, in one tick with the closing of the inbox: how the turn ends, or `undefined`. */
  #endOf({ calls, finish }: Step, isLast: boolean): Finish['reason'] | undefined {
    const open = calls.filter((call) => call.isClients);
    const mustGoOn = calls.length > 0 && open.length === 0 && !isLast;
    if (mustGoOn || !this.#inbox.closeIfEmpty()) {
      for (const call of open) call.skip(this.#input);
      return undefined;
    }
    for (const call of open) call.handOver(this.#input, this.#effectOf(call.name));
    if (open.length > 0) return 'client-tools';
    if (calls.length > 0) return 'max-steps';
    if (finish === 'stop' || finish === 'tool-calls') return 'stop';
    return finish === 'length' ? 'length' : 'other';
  }

  async #ask(): Promise<Step> {
    const run = this.#run;
    throwIfCut(run);
    const messages = [...this.#input.history, ...this.#input.incoming, ...this.snapshot()];
    const step = new Step(
      this.#input,
      (...call) => this.#newCall(...call),
      (name) => this.#effectOf(name),
    );
    this.#entries.push(step);
    const result = this.#stream(step, messages);
    for await (const part of run.fence(itemsOf(result.fullStream as ReadableStream<StreamPart>))) step.read(part);
    throwIfCut(run);
    const errors = [...this.#failures, ...step.errors];
    if (errors.length > 0) throw errors.find(isRunAbortedError) ?? errors[0];
    if (step.finish === undefined || step.finish === 'error') {
      throw new Error('The stream of the model ended without a finish reason.');
    }
    if (this.#wantsSteps) {
      this.#steps.push(...(await result.steps));
      throwIfCut(run);
    }
    return step;
  }

  #stream(step: Step, messages: AiMessage[]): AiResult {
    const { streamText, model, system, tools = {}, request = {} } = this.#options;
    const { prepareStep } = this.#given;
    const gated = Object.entries(tools).map(([name, tool]) => [name, this.#gated(step, name, tool)] as const);
    const options = {
      allowSystemInMessages: true,
      // By default it prints it.
      onError: () => {},
      ...request,
      ...(system === undefined ? {} : { system }),
      ...(gated.length === 0 ? {} : { tools: Object.fromEntries(gated) }),
      ...(prepareStep === undefined
        ? {}
        : {
            prepareStep: (given: object) =>
              prepareStep({ ...given, steps: this.#steps, stepNumber: this.#steps.length }),
          }),
      model,
      messages,
      abortSignal: this.#run.signal,
      stopWhen: () => true,
    };
    return (streamText as (options: object) => AiResult)(options);
  }

  /** The AI SDK's own loop is not used: what it does between two steps could not be stopped, steered or mended. */
  async #isEnough(): Promise<boolean> {
    const { stopWhen = [] } = this.#given;
    const conditions = [stopWhen].flat();
    return (await Promise.all(conditions.map((one) => one({ steps: this.#steps })))).includes(true);
  }

  get #given(): Given {
    return (this.#options.request ?? {}) as Given;
  }

  get #wantsSteps(): boolean {
    const { prepareStep, stopWhen } = this.#given;
    return prepareStep !== undefined || stopWhen !== undefined;
  }

  #effectOf(name: string): ToolEffect {
    return this.#options.effects?.[name] ?? 'unsafe';
  }

  #gated(step: Step, name: string, tool: AiTool): object {
    if (tool.execute === undefined) return tool;
    const effect = this.#effectOf(name);
    const execute = async (input: unknown, options: { readonly toolCallId: string }): Promise<unknown> => {
      const call = step.claim('isMade', options.toolCallId, name, input);
      const make = (): Promise<unknown> => call.make(this.#run, this.#input, effect, input, options);
      const made = this.#options.ordered === true ? this.#before.then(make) : make();
      this.#before = made.catch((error: unknown) => {
        if (!call.isDone) this.#failures.push(error);
      });
      return made;
    };
    return { ...tool, needsApproval: undefined, execute };
  }

  /** Models repeat ids, leave them out, and make names up: a transcript with such would be refused. */
  #newCall(sdkId: string, name: string, input: unknown): ModelCall {
    const ordinal = this.#callIds.size + 1;
    const id = sdkId === '' || this.#callIds.has(sdkId) ? `call_${ordinal}_${this.#run.generation}` : sdkId;
    this.#callIds.add(id);
    const tool = this.#options.tools?.[name];
    const shown = name.replace(/[^\w-]/g, '_') || 'unnamed';
    const isObject = typeof input === 'object' && input !== null && !Array.isArray(input);
    return new ModelCall(sdkId, { id, name: shown, input: isObject ? asJson(input) : {}, ordinal, tool });
  }
}

/** What the loop itself does with options of `streamText`. */
interface Given {
  readonly prepareStep?: (given: object) => unknown;
  readonly stopWhen?: Condition | readonly Condition[];
}

type Condition = (given: { readonly steps: readonly unknown[] }) => unknown;
