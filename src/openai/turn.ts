import { type Cut, type Finish, Inbox, type Turn, type TurnInput } from '../agent/index.js';
import { throwIfCut } from '../framework/index.js';
import { isRunAbortedError, type Run } from '../index.js';
import type { OpenAIAgentOptions } from './agent.js';
import { ModelCall, type StreamedCall } from './call.js';
import type { OpenAIMessage, OpenAIRequest } from './client.js';
import { opening } from './source.js';
import { Step } from './step.js';

/** One turn: a step is a request and the calls that its answer asks for. */
export class OpenAITurn implements Turn<OpenAIMessage> {
  readonly done: Promise<Finish>;
  readonly #options: OpenAIAgentOptions;
  readonly #run: Run;
  readonly #input: TurnInput<OpenAIMessage>;
  readonly #entries: (Step | readonly OpenAIMessage[])[] = [];
  readonly #inbox: Inbox<OpenAIMessage> = new Inbox();
  readonly #callIds = new Set<string>();
  #isOver = false;

  constructor(options: OpenAIAgentOptions, run: Run, input: TurnInput<OpenAIMessage>) {
    this.#options = options;
    this.#run = run;
    this.#input = input;
    this.done = this.#converse()
      .catch((error: unknown) => {
        // What the client makes of the stop is no error of the model's.
        throwIfCut(run);
        throw error;
      })
      .finally(() => {
        this.#isOver = true;
        this.#inbox.close();
      });
    this.done.catch(() => {});
  }

  snapshot(cut?: Cut): OpenAIMessage[] {
    const said = this.#entries.flatMap((entry) =>
      entry instanceof Step ? entry.messages((call) => call.result(cut, this.#isOver)) : entry,
    );
    return [...said, ...this.#inbox.peek()];
  }

  steer(messages: readonly OpenAIMessage[]): boolean {
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
      usage.input += step.usage?.prompt_tokens ?? 0;
      usage.output += step.usage?.completion_tokens ?? 0;
      await this.#callAll(step.calls);
      if (step.calls.length > 0) this.#input.emit({ type: 'step' });
      const reason = this.#endOf(step, count >= maxSteps);
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
    for (const call of open) call.handOver(this.#input);
    if (open.length > 0) return 'client-tools';
    if (calls.length > 0) return 'max-steps';
    if (finish === 'stop' || finish === 'tool_calls') return 'stop';
    return finish === 'length' ? 'length' : 'other';
  }

  async #ask(): Promise<Step> {
    const run = this.#run;
    throwIfCut(run);
    const body = this.#body();
    const step = new Step(this.#input.emit);
    this.#entries.push(step);
    const { completions } = this.#options.client.chat;
    const stream = opening(run.clock, () => completions.create(body, { signal: run.signal }));
    for await (const chunk of run.fence(stream)) step.read(chunk);
    // The client's stream ends as if it were whole when its signal fires.
    throwIfCut(run);
    if (step.finish === undefined) throw new Error('The stream of the model ended without a finish_reason.');
    step.settle((call) => this.#newCall(call));
    return step;
  }

  #body(): OpenAIRequest {
    const { model, system, tools = [], request } = this.#options;
    const { history, incoming } = this.#input;
    const first: OpenAIMessage[] = system === undefined ? [] : [{ role: 'system', content: system }];
    const functions = tools.map(({ name, description, jsonSchema }) => ({
      type: 'function',
      function: { name, ...(description === undefined ? {} : { description }), parameters: jsonSchema },
    }));
    return {
      stream_options: { include_usage: true },
      ...request,
      model,
      stream: true,
      messages: [...first, ...history, ...incoming, ...this.snapshot()],
      ...(functions.length > 0 ? { tools: functions } : {}),
    };
  }

  /** Models repeat ids, leave them out, and make names up: a transcript with such would be refused. */
  #newCall({ id, name, text }: StreamedCall): ModelCall {
    const ordinal = this.#callIds.size + 1;
    const own = id === '' || this.#callIds.has(id) ? `call_${ordinal}_${this.#run.generation}` : id;
    this.#callIds.add(own);
    const tool = this.#options.tools?.find((one) => one.name === name);
    const shown = name.replace(/[^\w-]/g, '_') || 'unnamed';
    return new ModelCall({ id: own, name: shown, text }, tool, ordinal);
  }

  /** All have ended before an error of one of them goes on; the abort goes first. */
  async #callAll(calls: readonly ModelCall[]): Promise<void> {
    const make = (call: ModelCall): Promise<void> => call.make(this.#run, this.#input);
    const ended: PromiseSettledResult<void>[] = [];
    if (this.#options.ordered === true) {
      for (const call of calls) ended.push(...(await Promise.allSettled([make(call)])));
    } else {
      ended.push(...(await Promise.allSettled(calls.map(make))));
    }
    const errors = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    throwIfCut(this.#run);
    if (errors.length > 0) throw errors.find(isRunAbortedError) ?? errors[0];
  }
}
