import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { sessionKeyOf } from 'runfence';
import { type ModelCall, type ModelServer, startModelServer } from '../model-server.js';
import { type ChatServer, createChatServer } from '../server.js';
import { tools } from '../tools.js';
import type { Entry } from '../transcript.js';
import { type Answer, Client, type Receipt } from './client.js';
import { eventually, Gate } from './gate.js';
import { ms, Timeline } from './timeline.js';
import { type Save, type ToolUse, WitnessedTranscript, witnessTools } from './witness.js';

/**
 * For what follows within the process, with no I/O between: under a ms, whatever the load. It would take longer than
 * this if it were left to one of the server's own limits, of which the shortest is a second.
 */
export const AT_ONCE_MS = 900;
export const TOKENS_PER_SECOND = 60;
const WARM_UP_WORDS = 5;

/** The moment at which a scene stops something, and what its message had cost until then. */
export interface Stop {
  readonly at: number;
  readonly message: string;
  readonly tokens: number;
}

interface Quiet {
  readonly at: number;
  readonly fencedEffects: number;
}

/** A scene's column of the table. */
export interface Measured {
  readonly title: string;
  readonly lastByteMs: number;
  readonly quietMs: number;
  readonly handOverMs: number | undefined;
  /** When the last process of a tool was gone. */
  readonly processesMs: number | undefined;
  readonly tokensAfter: number;
  readonly fenced: number;
  readonly leftovers: readonly string[];
}

/** The key of a chat of alice's, as the store has it. */
export const keyOf = (chat: string): string => sessionKeyOf(['alice', chat]);

/** NaN for what never happened: no comparison with it holds. */
export function since(from: number | undefined, to: number | undefined): number {
  return (to ?? Number.NaN) - (from ?? Number.NaN);
}

/** The chat server and the scripted model server, two clients, and witnesses at every place where an effect lands. */
export class Stage {
  readonly line: Timeline = new Timeline();
  readonly uses: ToolUse[];
  /** Where a tool is held before it stores something. */
  readonly beforeToolSaves: Gate;
  readonly model: ModelServer;
  readonly store: WitnessedTranscript;
  readonly app: ChatServer;
  readonly url: string;
  readonly alice: Client;
  readonly bob: Client;
  /** What the first stop of the process took, from the stop to the last byte: the scenes measure later ones. */
  firstStopMs: number = Number.NaN;
  readonly #quiets = new Map<string, Quiet>();

  static async open(): Promise<Stage> {
    let stage: Stage | undefined;
    const onHangUp = ({ tokens }: ModelCall): void =>
      stage?.line.event('model', `its client hung up after ${tokens} tokens`);
    const model = await startModelServer({ tokensPerSecond: TOKENS_PER_SECOND, onHangUp });
    const store = new WitnessedTranscript((save) => stage?.line.event('store', describe(save)));
    const uses: ToolUse[] = [];
    const beforeToolSaves = new Gate();
    const app = createChatServer({
      openai: new OpenAI({ baseURL: model.baseURL, apiKey: 'scripted' }),
      model: 'scripted',
      tools: witnessTools(tools, uses, beforeToolSaves, (what) => stage?.line.event('tool', what)),
      transcript: store,
      users: new Map([
        ['alice-token', 'alice'],
        ['bob-token', 'bob'],
      ]),
    });
    await new Promise<void>((resolve) => app.server.listen(0, '127.0.0.1', resolve));
    const opened = new Stage(model, store, uses, beforeToolSaves, app);
    await opened.#warmUp();
    stage = opened; // from here on its events are told
    return stage;
  }

  private constructor(
    model: ModelServer,
    store: WitnessedTranscript,
    uses: ToolUse[],
    beforeToolSaves: Gate,
    app: ChatServer,
  ) {
    this.model = model;
    this.store = store;
    this.uses = uses;
    this.beforeToolSaves = beforeToolSaves;
    this.app = app;
    this.url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    this.alice = new Client(this.url, 'alice-token');
    this.bob = new Client(this.url, 'bob-token');
    app.control.on('run:quiet', ({ run, fencedEffects }) =>
      this.#quiets.set(run.runId, { at: performance.now(), fencedEffects }),
    );
  }

  /** One answer and one stop. The first abort of a `fetch` loads what the later ones find loaded. */
  async #warmUp(): Promise<void> {
    const answer = this.alice.chat('warm-up', 'Tell me anything.');
    await answer.until((it) => it.words >= WARM_UP_WORDS);
    const at = performance.now();
    await this.alice.stop('warm-up');
    await answer.done;
    this.firstStopMs = since(at, answer.endingAt);
  }

  async close(): Promise<void> {
    if (this.app.server.listening) await this.app.close();
    await this.model.close();
  }

  /** Alice sends a message. */
  chat(chat: string, message: string): Answer {
    this.line.event('alice', `POST /chat  "${message}"`);
    const answer = this.alice.chat(chat, message);
    const reads = (): void => this.line.event('alice', `reads [${answer.ending}] after ${answer.words} words`);
    answer.until((it) => it.ending !== undefined).then(reads, () => undefined);
    return answer;
  }

  stopsNow(message: string): Stop {
    return { at: performance.now(), message, tokens: this.tokensFor(message) };
  }

  /** The requests that a message has led to at the provider. */
  callsFor(message: string): readonly ModelCall[] {
    return this.model.calls.filter((call) => call.prompt === message);
  }

  tokensFor(message: string): number {
    return this.callsFor(message).reduce((sum, call) => sum + call.tokens, 0);
  }

  /** The first write of alice's chat with such an entry in it. */
  firstSave(chat: string, condition: (entry: Entry) => boolean): Save | undefined {
    return this.store.saves.find((save) => save.chat === keyOf(chat) && save.entries.some(condition));
  }

  /** When the run of a receipt was quiet, and how many effects of it had been fenced by then. */
  quietOf(receipt: Receipt | undefined): Quiet | undefined {
    return this.#quiets.get(receipt?.runs[0]?.runId ?? '');
  }

  quietMs(receipt: Receipt | undefined, stop: Stop): number {
    return since(stop.at, this.quietOf(receipt)?.at);
  }

  /** When the provider came to the end of its script for a message, if it ever did. */
  scriptEndedAt(message: string): number | undefined {
    return this.callsFor(message)[0]?.endedAt;
  }

  /** The provider hears of a hang-up some time after the client has its answer. */
  async untilHungUp(message: string): Promise<void> {
    await eventually(() => this.callsFor(message)[0]?.hungUpAt !== undefined);
  }

  /**
   * What holds for every answer that is stopped after it said something, whoever stops it. `overAt` is when that which
   * was stopped was over, if it ever was.
   */
  checkStopped(answer: Answer, chat: string, reason: string, stop: Stop, overAt: number | undefined): void {
    const { line } = this;
    const lastByteMs = since(stop.at, answer.endingAt);
    const lastTextMs = Math.max(0, since(stop.at, answer.lastTextAt));
    line.check(answer.ending === `stopped: ${reason}`, 'the client is told why', `[${answer.ending}]`);
    const isFirst = since(answer.endingAt, overAt ?? Number.POSITIVE_INFINITY) > 0;
    const evidence = `last byte ${ms(lastByteMs)}, last text ${ms(lastTextMs)}`;
    line.check(isFirst, 'the answer ends, and waits for nothing that is stopped', evidence);
    line.check(answer.late === '', 'nothing follows', `${answer.late.length} characters`);
    const entries = this.store.read(keyOf(chat));
    const kept = entries[entries.findIndex((entry) => entry.text === stop.message) + 1];
    const isSame = kept?.state === reason && kept.text !== '' && kept.text === withoutProgress(answer.text);
    line.check(
      isSame,
      'the store has exactly the text that was shown',
      `${kept?.text.length} characters, ${kept?.state}`,
    );
  }

  /** A token may be under way while the stop travels; none may follow once the provider saw the hang-up. */
  checkHungUp(stop: Stop): void {
    const [call] = this.callsFor(stop.message);
    const hungUpMs = since(stop.at, call?.hungUpAt);
    const tokens = this.tokensFor(stop.message) - stop.tokens;
    const isOver = hungUpMs >= 0 && call?.endedAt === undefined && call?.tokensAfterHangUp === 0;
    const evidence = `hang-up after ${ms(hungUpMs)}, ${tokens} more by then`;
    this.line.check(isOver, 'the provider stops generating', evidence);
  }

  /** A receipt that claims quiet, against the last write of that run. */
  checkQuiet(receipt: Receipt | undefined, chat: string, reason: string, stop: Stop): void {
    const run = receipt?.runs[0];
    const quietMs = this.quietMs(receipt, stop);
    const epilogue = this.firstSave(chat, (entry) => entry.state === reason);
    const isHonest = receipt?.quiet === true && run?.epilogue === 'done' && run.leftovers.length === 0;
    const isAfter = quietMs >= since(stop.at, epilogue?.endedAt);
    const evidence = `quiet after ${ms(quietMs)}, lock ${run?.lock}, epilogue ${run?.epilogue}`;
    this.line.check(isHonest && isAfter, 'the receipt says quiet, not before the last write', evidence);
  }

  measured(title: string, answer: Answer, stop: Stop, times: Partial<Measured> = {}): Measured {
    const run = answer.receipt?.runs[0];
    return {
      title,
      lastByteMs: since(stop.at, answer.endingAt),
      quietMs: this.quietMs(answer.receipt, stop),
      handOverMs: undefined,
      processesMs: undefined,
      tokensAfter: this.tokensFor(stop.message) - stop.tokens,
      fenced: run?.fencedEffects ?? Number.NaN,
      leftovers: run?.leftovers ?? ['no receipt'],
      ...times,
    };
  }
}

/** Progress of a tool is shown, but is not part of the stored answer. */
function withoutProgress(text: string): string {
  return text.replace(/\(\w+(, page)? \d+\) /g, '');
}

function describe({ chat, token, entries, refused }: Save): string {
  const what = entries.map(({ role, text, state }) =>
    role === 'assistant' ? `answer (${state}, ${text.length} characters)` : role,
  );
  const name = (JSON.parse(chat) as string[]).join('/');
  return `${refused ? 'refuses' : 'saves'} ${what.join(' and ')} of ${name}, token ${token}`;
}
