import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { AnsweredRequest } from './request.js';
import { Hold, type ModelFinish, type ModelPiece, type ScriptedCall } from './script.js';

/** Where an answer goes: a stream of chunks, or one message. */
export interface Output {
  text(kind: 'content' | 'reasoning_content' | 'refusal', text: string): void;
  call(index: number, id: string, name: string): void;
  arguments(index: number, text: string): void;
  finish(reason: ModelFinish | null): void;
  drop(): void;
}

export interface PlayOptions {
  readonly hungUp: AbortSignal;
  readonly closing: AbortSignal;
  readonly tokenMs: number;
}

/** One reply on its way to one client. */
export class Player {
  readonly #request: AnsweredRequest;
  readonly #output: Output;
  readonly #options: PlayOptions;
  #stop: AbortSignal;
  #calls = 0;

  constructor(request: AnsweredRequest, output: Output, options: PlayOptions) {
    this.#request = request;
    this.#output = output;
    this.#options = options;
    this.#stop = AbortSignal.any([options.closing, options.hungUp]);
  }

  async play(pieces: readonly ModelPiece[]): Promise<void> {
    for (const piece of pieces) {
      if (this.#stop.aborted) return;
      if (typeof piece === 'string') await this.#say('content', piece);
      else if (piece instanceof Hold) await this.#wait(piece);
      else if ('call' in piece) await this.#ask(piece);
      else if ('reasoning' in piece) await this.#say('reasoning_content', piece.reasoning);
      else if ('refusal' in piece) await this.#say('refusal', piece.refusal);
      else if ('deaf' in piece) this.#stop = this.#options.closing;
      else if ('drop' in piece) return this.#output.drop();
      else return this.#output.finish(piece.finish);
    }
    if (!this.#stop.aborted) this.#output.finish(this.#calls > 0 ? 'tool_calls' : 'stop');
  }

  /** A word a chunk, as a model streams. */
  async #say(kind: 'content' | 'reasoning_content' | 'refusal', text: string): Promise<void> {
    for (const word of text.match(/\s*\S+\s*$|\s*\S+|\s+$/g) ?? []) {
      if (!(await this.#makes())) return;
      this.#output.text(kind, word);
    }
  }

  async #ask({ call, input = {}, arguments: given, id, hold }: ScriptedCall): Promise<void> {
    const index = this.#calls++;
    this.#output.call(index, id ?? `call_${this.#request.number}_${index}`, call);
    const text = given ?? JSON.stringify(input);
    const pieces = text.match(/.{1,8}/gs) ?? [];
    const half = hold === undefined ? pieces.length : Math.floor(pieces.length / 2);
    for (const piece of pieces.slice(0, half)) if (await this.#makes()) this.#output.arguments(index, piece);
    if (hold !== undefined) await this.#wait(hold);
    for (const piece of pieces.slice(half)) if (await this.#makes()) this.#output.arguments(index, piece);
  }

  /** Makes a token. False once the model has to stop. */
  async #makes(): Promise<boolean> {
    const { tokenMs } = this.#options;
    if (tokenMs > 0) await sleep(tokenMs, undefined, { signal: this.#stop }).catch(() => {});
    // Otherwise a client in the same process would never get its turn between two tokens.
    else await nextTurn();
    if (this.#stop.aborted) return false;
    this.#request.count();
    return true;
  }

  /** Until the test opens it, or the model has to stop. */
  async #wait(hold: Hold): Promise<void> {
    let stopped!: () => void;
    const end = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    this.#stop.addEventListener('abort', stopped, { once: true });
    if (this.#stop.aborted) stopped();
    await Promise.race([hold.pass(), end]);
    this.#stop.removeEventListener('abort', stopped);
  }
}
