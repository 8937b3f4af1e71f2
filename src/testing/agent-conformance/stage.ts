import assert from 'node:assert/strict';
import {
  type AgentEvent,
  type AgentRunner,
  createAgentRunner,
  type Message,
  type SendOptions,
  type Sent,
  textOf,
} from '../../agent/index.js';
import { type AbortReason, createRunControl, isRunfenceError, type Receipt, type RunControl } from '../../index.js';
import { expectQuiet } from '../expect-quiet.js';
import type { ModelRequest } from '../model-server/request.js';
import type { ModelReply } from '../model-server/script.js';
import { type ModelServer, startModelServer } from '../model-server/server.js';
import type { AgentConformanceOptions, ConformanceParts, ConformanceServer, ConformanceTool } from './options.js';
import { pointedAgent } from './pointed.js';
import type { Points } from './points.js';
import { ConformanceHistory } from './store.js';
import { Tools } from './tools.js';

export const SESSION = 'conformance';
/** What an agent may take to unwind, in ms. */
const GRACE_MS = 1_000;
/** What the model says once the script is over. */
export const AT_THE_END = 'Here I am.';

/** The replies of the model in order, or by the request. */
export type StageScript = readonly ModelReply[] | ((request: ModelRequest) => ModelReply | undefined);

/** A message that was sent, with what its turn has said so far. */
export interface Said {
  readonly sent: Sent;
  readonly events: AgentEvent[];
  /** Settles with the end of the stream. */
  readonly heard: Promise<void>;
}

/** An agent on a runner of its own, with a model that plays a script. */
export class AgentStage<M> {
  readonly control: RunControl;
  readonly runner: AgentRunner;
  readonly model: ModelServer;
  readonly history: ConformanceHistory;
  readonly tools: Tools;
  readonly errors: unknown[];
  readonly said: Said[] = [];
  /** What the user has said, in order. */
  readonly words: string[] = [];

  private constructor(parts: Pick<AgentStage<M>, 'control' | 'runner' | 'model' | 'history' | 'tools' | 'errors'>) {
    this.control = parts.control;
    this.runner = parts.runner;
    this.model = parts.model;
    this.history = parts.history;
    this.tools = parts.tools;
    this.errors = parts.errors;
  }

  /**
   * @param script - the replies of the model; then, or for `undefined`, it says `AT_THE_END`
   * @param tools - what it may call
   */
  static async open<M>(
    options: AgentConformanceOptions<M>,
    script: StageScript,
    tools: readonly ConformanceTool[] = [],
    { maxSteps = 8, points }: { readonly maxSteps?: number; readonly points?: Points } = {},
  ): Promise<AgentStage<M>> {
    const replies = typeof script === 'function' ? [] : [...script];
    const next = typeof script === 'function' ? script : () => replies.shift();
    const model = await startModelServer((request) => next(request) ?? AT_THE_END);
    const errors: unknown[] = [];
    const log = new Tools(tools, points);
    const { baseURL } = model;
    const setup = { baseURL, apiKey: 'any', model: 'scripted', tools: log.tools, maxSteps };
    const agent = await options.makeAgent(setup);
    const history = new ConformanceHistory(points);
    const { control, runner } = await (options.makeServer ?? plainServer)({
      agent: points === undefined ? agent : pointedAgent(points, agent),
      history,
      onError: (error) => void errors.push(error),
      graceMs: GRACE_MS,
    });
    log.watch(control);
    return new AgentStage<M>({ control, runner, model, history, tools: log, errors });
  }

  async send(text: string, more: Partial<SendOptions> = {}): Promise<Said> {
    const said = await this.trySend(text, more);
    return said ?? assert.fail(`"${text}" was stopped before it began`);
  }

  /** `undefined` if it was over before it began: what was said is kept all the same. */
  async trySend(text: string, more: Partial<SendOptions> = {}): Promise<Said | undefined> {
    // Before the call: another one may land inside it.
    this.words.push(text);
    const sent = await this.runner.send({ sessionKey: SESSION, messages: text, ...more });
    if (sent.status === 'rejected') assert.fail(`"${text}" was rejected: ${sent.cause}`);
    if (sent.status === 'aborted') {
      await sent.whenSaved();
      return undefined;
    }
    const events: AgentEvent[] = [];
    const said: Said = { sent, events, heard: listen(sent, events) };
    this.said.push(said);
    return said;
  }

  stop({ sent }: Said, reason: AbortReason = 'user'): Promise<Receipt> {
    return this.control.abort({ runId: sent.runId }, { reason });
  }

  textOf({ events }: Said): string {
    return events.map((event) => (event.type === 'text' ? event.text : '')).join('');
  }

  /** What the session's history has, as it is shown. */
  async shown(): Promise<readonly (Message & { readonly runId: string })[]> {
    return (await this.runner.messages(SESSION)).messages;
  }

  /** Everything of it has ended, whatever the scenario did; the errors that it knows of are `expected`. */
  async settle(expected: readonly RegExp[] = []): Promise<void> {
    for (const { sent, heard } of this.said) {
      await sent.outcome;
      await sent.whenSaved();
      await heard;
    }
    await this.goesOn();
    await this.#judge();
    await expectQuiet(this.control);
    const unknown = this.errors.filter((error) => !expected.some((one) => one.test(String(error))));
    assert.deepEqual(unknown.map(String), [], 'errors that nobody expected were told to onError');
  }

  /** What is left is what the next turn starts from, and a strict model takes it. */
  async goesOn(): Promise<void> {
    const { sent, heard } = await this.send('And now?');
    const outcome = await sent.outcome;
    assert.equal(outcome.status, 'completed', `the next turn was ${outcome.status}: ${errorOf(outcome)}`);
    await heard;
    assert.deepEqual(this.model.problems, [], 'the model refused a request');
    const last = this.model.requests.at(-1)?.messages ?? [];
    const users = last.filter(({ role }) => role === 'user').map(({ content }) => contentText(content));
    assert.deepEqual(users, this.words, 'the next turn knows what the user has said, once and in order');
  }

  async #judge(): Promise<void> {
    const shown = await this.shown();
    for (const said of this.said) {
      const own = shown.filter(({ runId }) => runId === said.sent.runId);
      const saved = own
        .filter(({ role }) => role === 'assistant')
        .map((message) => textOf(message))
        .join('');
      if (own.length > 0) assert.equal(saved, this.textOf(said), 'what is saved is what was published');
      judgeCalls(own, said.events);
    }
    assert.deepEqual(this.tools.late, [], 'a tool was started after the stop of its run');
  }

  async close(): Promise<void> {
    this.tools.release();
    await this.control.drain({ graceMs: 0 });
    await this.model.close();
  }
}

function plainServer<M>({ agent, history, onError, graceMs }: ConformanceParts<M>): ConformanceServer {
  const control = createRunControl({ onError, defaults: { graceMs } });
  return { control, runner: createAgentRunner(control, { agent, history }) };
}

/** Each call ends once: in the events at most, and in the transcript exactly, right behind its message. */
function judgeCalls(messages: readonly Message[], events: readonly AgentEvent[]): void {
  const parts = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content));
  const calls = parts.flatMap((part) => (part.type === 'tool-call' ? [part.callId] : []));
  const results = parts.flatMap((part) => (part.type === 'tool-result' ? [part.callId] : []));
  assert.deepEqual([...results].sort(), [...calls].sort(), 'every call of the transcript has exactly one result');
  const started = events.flatMap((event) => (event.type === 'tool-start' ? [event.callId] : []));
  const ended = events.flatMap((event) => (event.type === 'tool-end' ? [event.callId] : []));
  assert.equal(new Set(started).size, started.length, 'no call is started twice');
  assert.equal(new Set(ended).size, ended.length, 'no call ends twice');
  assert.deepEqual(
    started.filter((id) => !calls.includes(id)),
    [],
    'what was started is in the transcript',
  );
}

async function listen(sent: Sent, events: AgentEvent[]): Promise<void> {
  for await (const item of sent.events() ?? []) if (item.type === 'event') events.push(item.event);
}

export function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  return (content as readonly { readonly text?: string }[]).map(({ text = '' }) => text).join('');
}

function errorOf(outcome: object): string {
  const { error } = outcome as { readonly error?: unknown };
  return isRunfenceError(error) ? `${error.code} ${error.message}` : String(error);
}

/** How long it takes at most, in ms of real time, until what has to happen has happened. */
const LONGEST_MS = 3_000;

/** Waits for what has to come. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (const since = performance.now(); !holds(); ) {
    if (performance.now() - since > LONGEST_MS) assert.fail(`${what}: this has not happened`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export async function isStopped({ sent }: Said): Promise<void> {
  const outcome = await sent.outcome;
  assert.equal(outcome.status, 'aborted', `the turn is ${outcome.status}`);
}

export async function isCompleted({ sent }: Said): Promise<void> {
  const outcome = await sent.outcome;
  assert.equal(outcome.status, 'completed', `the turn is ${outcome.status}: ${errorOf(outcome)}`);
}

/** A scenario on a stage of its own, with what holds after each of them. */
export async function withStage<M>(
  options: AgentConformanceOptions<M>,
  script: StageScript,
  tools: readonly ConformanceTool[],
  body: (stage: AgentStage<M>) => Promise<void>,
  { maxSteps, expected = [] }: { readonly maxSteps?: number; readonly expected?: readonly RegExp[] } = {},
): Promise<void> {
  const stage = await AgentStage.open(options, script, tools, maxSteps === undefined ? {} : { maxSteps });
  try {
    await body(stage);
    await stage.settle(expected);
  } finally {
    await stage.close();
  }
}
