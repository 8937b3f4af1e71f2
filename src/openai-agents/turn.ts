import { type Cut, type Finish, Inbox, type Turn, type TurnInput } from '../agent/index.js';
import { throwIfCut } from '../framework/index.js';
import type { Run } from '../index.js';
import type { OpenAIAgentsOptions } from './agent.js';
import { Calls } from './calls.js';
import { gatedAgent } from './gate.js';
import { settled } from './items.js';
import { Response } from './response.js';
import type { AgentsAgent, AgentsItem, InputFilter, ModelData, StreamEvent, StreamedRun } from './sdk.js';

/** Words that steer, and the result behind which the model has read them. */
interface Steered {
  readonly behind: string | undefined;
  readonly items: readonly AgentsItem[];
}

/** One turn: a run of the package, and another one for what the user has said behind its end. */
export class OpenAIAgentsTurn implements Turn<AgentsItem> {
  readonly done: Promise<Finish>;
  readonly #options: OpenAIAgentsOptions;
  readonly #run: Run;
  readonly #input: TurnInput<AgentsItem>;
  readonly #calls: Calls;
  readonly #inbox: Inbox<AgentsItem> = new Inbox();
  /** What the runs of the package before this one have added. */
  #past: readonly AgentsItem[] = [];
  #items: AgentsItem[] = [];
  #steered: Steered[] = [];
  #response: Response | undefined = undefined;

  constructor(options: OpenAIAgentsOptions, run: Run, input: TurnInput<AgentsItem>) {
    this.#options = options;
    this.#run = run;
    this.#input = input;
    this.#calls = new Calls(run, input, options.effects);
    this.done = this.#converse()
      .catch((error: unknown) => {
        // What the package makes of the stop is no error of the model's.
        throwIfCut(run);
        throw error;
      })
      .finally(() => {
        this.#calls.close();
        this.#inbox.close();
      });
    this.done.catch(() => {});
  }

  snapshot(cut?: Cut): AgentsItem[] {
    return [...this.#added(cut), ...this.#inbox.peek()];
  }

  steer(messages: readonly AgentsItem[]): boolean {
    return this.#run.isCurrent() && this.#inbox.push(messages);
  }

  #added(cut?: Cut): AgentsItem[] {
    const partial = this.#response?.partial ?? [];
    const items = [...this.#past, ...placed(this.#items, this.#steered), ...partial];
    return settled(items, (call) => this.#calls.resultOf(call, cut));
  }

  async #converse(): Promise<Finish> {
    const usage = { input: 0, output: 0 };
    let agent: AgentsAgent = gatedAgent(this.#options.agent, this.#calls);
    for (;;) {
      this.#past = [...this.#added(), ...this.#inbox.take()];
      this.#items = [];
      this.#steered = [];
      this.#response = undefined;
      this.#calls.renew();
      const running = await this.#start(agent);
      running.completed.catch(() => {});
      const reason = await this.#read(running);
      agent = running.lastAgent ?? agent;
      usage.input += running.state.usage?.inputTokens ?? 0;
      usage.output += running.state.usage?.outputTokens ?? 0;
      // In one tick with the decision to end.
      if (this.#inbox.closeIfEmpty()) return { reason, usage };
    }
  }

  async #start(agent: AgentsAgent): Promise<StreamedRun> {
    const { runner, context, maxTurns = 20 } = this.#options;
    const { history, incoming } = this.#input;
    const options = {
      stream: true,
      signal: this.#run.signal,
      maxTurns,
      context: context?.(this.#run),
      toolNotFoundBehavior: 'return_error_to_model',
      callModelInputFilter: this.#filter,
    };
    const given = [...history, ...incoming, ...this.#past];
    return (await runner.run(agent as never, given as never, options as never)) as StreamedRun;
  }

  /** Before each request: brings in what has steered the turn since. */
  readonly #filter: InputFilter = async (args) => {
    const { callModelInputFilter: own } = (this.#options.runner.config ?? {}) as { callModelInputFilter?: InputFilter };
    const data: ModelData = own === undefined ? args.modelData : await own(args);
    throwIfCut(this.#run);
    const last = data.input.at(-1);
    if (last?.type === 'function_call_result') {
      const items = this.#inbox.take();
      if (items.length > 0) this.#steered.push({ behind: last.callId, items });
    }
    return { ...data, input: settled(placed(data.input, this.#steered)) };
  };

  /** How the package's run ends. */
  async #read(running: StreamedRun): Promise<Finish['reason']> {
    try {
      for await (const event of this.#run.fence(running))
        if (this.#isCutBy(event)) return this.#response?.reason ?? 'other';
      // The package's stream ends as if it were whole when the signal fires.
      throwIfCut(this.#run);
      await running.completed;
      if (running.error) throw running.error;
    } catch (error) {
      if ((error as Error | undefined)?.name !== 'MaxTurnsExceededError') throw error;
      throwIfCut(this.#run);
      return 'max-steps';
    }
    throwIfCut(this.#run);
    if (running.interruptions.length > 0) throw new Error(UNANSWERED);
    return this.#response?.reason ?? 'stop';
  }

  /** Reads what the package says. True: the model was cut in the middle of its calls, and none of them is made. */
  #isCutBy(event: StreamEvent): boolean {
    if (event.type === 'raw_model_stream_event') {
      const { data } = event;
      if (data.type === 'response_started') {
        if (this.#response !== undefined) this.#input.emit({ type: 'step' });
        this.#response = new Response(this.#input.emit);
      }
      this.#response ??= new Response(this.#input.emit);
      this.#response.read(data);
      return data.type === 'response_done' && this.#response.isCutIn(data);
    }
    if (event.type !== 'run_item_stream_event' || event.name === 'tool_approval_requested') return false;
    const { rawItem } = event.item;
    this.#items.push(rawItem);
    if (event.name === 'message_output_created') this.#response?.settle(rawItem);
    else if (rawItem.type === 'function_call') this.#calls.announce(rawItem);
    else if (event.name === 'tool_output') this.#calls.answer(rawItem);
    return false;
  }
}

/** The items with the words that have steered the turn, each behind the result after which the model has read them. */
function placed(items: readonly AgentsItem[], steered: readonly Steered[]): AgentsItem[] {
  const all = [...items];
  for (const { behind, items: words } of steered) {
    const at = all.findLastIndex(({ type, callId }) => type === 'function_call_result' && callId === behind);
    all.splice(at < 0 ? all.length : at + 1, 0, ...words);
  }
  return all;
}

const UNANSWERED =
  'A hosted tool, or a tool inside an agent that is itself used as a tool, asks for approval, and nobody can be asked: only tools of the agent and of its handoffs ask through the runner.';
