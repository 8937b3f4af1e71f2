import { type Cut, type Finish, Inbox, type Turn, type TurnInput } from '../agent/index.js';
import { throwIfCut } from '../framework/index.js';
import type { Run } from '../index.js';
import type { LangGraphAgentOptions } from './agent.js';
import { Calls } from './calls.js';
import { settled } from './close.js';
import { contentText, invalid, plainMessage, saidMessage, typeOf } from './messages.js';
import type { ChainMessage, LangGraphGraph, LangGraphMessage, ModelOutput } from './sdk.js';

/** The model was cut in the middle of its calls: none of them is made. */
class CutInCalls extends Error {}

/** One turn: a stream of the graph, and another one for what the user has said behind its end. */
export class LangGraphTurn implements Turn<LangGraphMessage> {
  readonly done: Promise<Finish>;
  readonly #options: LangGraphAgentOptions;
  readonly #run: Run;
  readonly #input: TurnInput<LangGraphMessage>;
  readonly #calls: Calls;
  readonly #inbox: Inbox<LangGraphMessage> = new Inbox();
  #added: LangGraphMessage[] = [];
  /** What the state has had before: middleware gives it all once more. */
  readonly #ids = new Set<string>();
  /** Words that steer, which the model reads next and the stream has not come to. */
  #taken: readonly LangGraphMessage[] = [];
  /** What is published of answers that are not in the state yet, by the id of the message. */
  readonly #partial = new Map<string, string>();
  readonly #usage = { input: 0, output: 0 };
  #reason: Finish['reason'] = 'stop';
  #isBehindTools = false;

  constructor(options: LangGraphAgentOptions, run: Run, input: TurnInput<LangGraphMessage>) {
    this.#options = options;
    this.#run = run;
    this.#input = input;
    this.#calls = new Calls(run, input);
    this.done = this.#converse()
      .catch((error: unknown) => {
        // What the graph makes of the stop is no error of the model's.
        throwIfCut(run);
        throw error;
      })
      .finally(() => {
        this.#calls.isOver = true;
        this.#inbox.close();
      });
    this.done.catch(() => {});
  }

  snapshot(cut?: Cut): LangGraphMessage[] {
    return [...this.#all(cut), ...this.#inbox.peek()];
  }

  steer(messages: readonly LangGraphMessage[]): boolean {
    return this.#run.isCurrent() && this.#inbox.push(messages);
  }

  async #converse(): Promise<Finish> {
    const graph = await this.#options.graph({
      run: this.#run,
      gate: (tool, options = {}) => this.#calls.gate(tool, options),
      beforeModel: this.#beforeModel,
    });
    if ((graph as { readonly checkpointer?: unknown }).checkpointer)
      throw invalid(
        "The graph of langGraphAgent has a checkpointer, and the history is the runner's: build it without one.",
      );
    const { history, incoming } = this.#input;
    for (;;) {
      this.#added = [...this.#all(), ...this.#inbox.take()];
      this.#partial.clear();
      this.#taken = [];
      const reason = await this.#read(graph, [...history, ...incoming, ...this.#added].map(this.#known));
      // In one tick with the decision to end.
      if (this.#inbox.closeIfEmpty()) return { reason, usage: this.#usage };
    }
  }

  #all(cut?: Cut): LangGraphMessage[] {
    const partial = [...this.#partial.values()].map((text) => saidMessage(text));
    const unseen = cut === undefined ? [] : this.#calls.unseen(this.#added);
    const all = [...this.#added, ...(unseen.length === 0 ? [] : [saidMessage('', unseen)]), ...partial];
    return [...settled(all, (call) => this.#calls.resultOf(call, cut)), ...this.#taken];
  }

  async #read(graph: LangGraphGraph, messages: readonly LangGraphMessage[]): Promise<Finish['reason']> {
    const { config, recursionLimit = 100 } = this.#options;
    const given = config?.(this.#run) ?? {};
    const { callbacks = [] } = given as { readonly callbacks?: readonly unknown[] };
    const options = {
      ...given,
      streamMode: ['messages', 'updates'],
      signal: this.#run.signal,
      recursionLimit,
      callbacks: [
        ...callbacks,
        { name: 'runfence', awaitHandlers: true, raiseError: true, handleLLMEnd: this.#atModelEnd },
      ],
    };
    try {
      const stream = await graph.stream({ messages } as never, options as never);
      for await (const item of this.#run.fence(stream)) this.#take(item as readonly [string, unknown]);
    } catch (error) {
      throwIfCut(this.#run);
      if (error instanceof CutInCalls) return this.#reason;
      if ((error as Error | undefined)?.name === 'GraphRecursionError') return 'max-steps';
      throw error;
    }
    throwIfCut(this.#run);
    return this.#reason;
  }

  /** Before each request: what has steered the turn since. */
  readonly #beforeModel = (): { messages: never[] } | undefined => {
    const words = this.#inbox.take();
    if (words.length === 0) return undefined;
    this.#taken = [...this.#taken, ...words.map(withId)];
    return { messages: this.#taken.slice(-words.length) as never[] };
  };

  /** In the model's call itself, before the graph goes on to the tools. A stream that broke off looks like one that ended. */
  readonly #atModelEnd = ({ generations }: ModelOutput): void => {
    const { generationInfo = {}, message } = generations[0]?.[0] ?? {};
    const finish = generationInfo.finish_reason ?? message?.response_metadata?.finish_reason;
    if (finish === undefined && 'completion' in generationInfo)
      throw new Error('The stream of the model ended without a finish_reason.');
    this.#calls.ask(message?.tool_calls ?? []);
    this.#usage.input += message?.usage_metadata?.input_tokens ?? 0;
    this.#usage.output += message?.usage_metadata?.output_tokens ?? 0;
    this.#reason = finish === 'length' ? 'length' : finish === 'content_filter' ? 'other' : 'stop';
    if (this.#reason !== 'stop' && message?.tool_calls !== undefined && message.tool_calls.length > 0)
      throw new CutInCalls();
  };

  #take([mode, data]: readonly [string, unknown]): void {
    if (mode === 'messages') {
      const [message, { langgraph_node }] = data as readonly [ChainMessage, { readonly langgraph_node?: string }];
      // What a model inside a tool says is the tool's.
      if (message.concat === undefined || langgraph_node === 'tools' || typeOf(message) !== 'ai') return;
      this.#say(message.id ?? '', typeof message.content === 'string' ? message.content : contentText(message.content));
      return;
    }
    for (const update of Object.values(data as Readonly<Record<string, unknown>>)) {
      for (const change of Array.isArray(update) ? update : [update]) {
        const { messages = [] } = Object(change) as { readonly messages?: ChainMessage | readonly ChainMessage[] };
        for (const message of Array.isArray(messages) ? messages : [messages]) this.#add(message as ChainMessage);
      }
    }
  }

  #add(message: ChainMessage): void {
    const type = typeOf(message);
    const { id = '' } = message;
    if (this.#ids.has(id) || !(type in KEPT)) return;
    if (id !== '') this.#ids.add(id);
    const plain = plainMessage(message);
    if (type === 'ai') {
      // What has not been streamed is published now.
      const whole = contentText(plain.content);
      const said = this.#partial.get(id) ?? '';
      if (whole.startsWith(said)) this.#say(id, whole.slice(said.length));
      this.#partial.delete(id);
    }
    this.#added.push(plain);
    this.#taken = this.#taken.filter((one) => one.id !== id);
    if (type !== 'tool') return;
    this.#calls.answer(plain);
    this.#isBehindTools = true;
  }

  #say(id: string, text: string): void {
    if (text === '') return;
    if (this.#isBehindTools) this.#input.emit({ type: 'step' });
    this.#isBehindTools = false;
    if (this.#input.emit({ type: 'text', text })) this.#partial.set(id, (this.#partial.get(id) ?? '') + text);
  }

  readonly #known = (message: LangGraphMessage): LangGraphMessage => {
    const known = withId(message);
    this.#ids.add(known.id ?? '');
    return known;
  };
}

const KEPT: Readonly<Record<string, true>> = { human: true, ai: true, tool: true, system: true };

function withId(message: LangGraphMessage): LangGraphMessage {
  return message.id ? message : { ...message, id: crypto.randomUUID() };
}
