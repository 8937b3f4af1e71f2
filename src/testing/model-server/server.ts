import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Awaitable } from '../../index.js';
import { ChunkOutput, sendError, WholeOutput } from './output.js';
import { Player } from './play.js';
import { AnsweredRequest, type ModelRequest } from './request.js';
import { refusalOf, shapeProblem } from './rules.js';
import { isFailure, type ModelReply, type ModelScript, piecesOf } from './script.js';
import type { ModelBody } from './transcript.js';

const LONGEST_BODY = 16 * 1024 * 1024;

/** How the server behaves beside its script. */
export interface ModelServerOptions {
  /** How long a token takes, in ms of real time; 0, as fast as it goes, by default. For demos: a test uses a `Hold`. */
  readonly tokenMs?: number;
}

/** A scripted model that listens on a port of the loopback interface. */
export interface ModelServer extends AsyncDisposable {
  /** For `new OpenAI({ baseURL })`, or `OPENAI_BASE_URL`. Any API key will do. */
  readonly baseURL: string;
  /** Every request that it got, in order. */
  readonly requests: readonly ModelRequest[];
  /** What no provider would have let pass, one line each: requests that got 400, and those for which the script had no reply. */
  readonly problems: readonly string[];
  /** Closes it, with all its connections, and whatever still waits in it. */
  close(): Promise<void>;
}

/**
 * Starts a model that plays a script. It speaks the chat-completions protocol of OpenAI over real HTTP, streaming or
 * not, and it is strict: a transcript that some provider refuses gets the 400 of that provider. So a test sees what a
 * stop leaves behind: a history with an unanswered call fails the next turn, as it would in production.
 *
 * @param script - a reply for each request that is valid, in order; or a function of the request
 * @param options - `tokenMs`: how long a token takes
 *
 * @example
 * ```ts
 * import OpenAI from 'openai';
 * import { startModelServer } from 'runfence/testing';
 *
 * await using model = await startModelServer(['Hello there!']);
 * const client = new OpenAI({ baseURL: model.baseURL, apiKey: 'any' });
 * const messages = [{ role: 'user' as const, content: 'Hi' }];
 * const { choices } = await client.chat.completions.create({ model: 'scripted', messages });
 * console.assert(choices[0]?.message.content === 'Hello there!');
 * console.assert(model.requests[0]?.messages.length === 1 && model.problems.length === 0);
 * ```
 */
export async function startModelServer(script: ModelScript, options: ModelServerOptions = {}): Promise<ModelServer> {
  const model = new ScriptedModel(script, options.tokenMs ?? 0);
  const server = createServer((req, res) => void model.handle(req, res));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    model.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
    await Promise.all(model.requests.map(({ whenEnded }) => whenEnded));
  };
  return {
    baseURL: `http://127.0.0.1:${port}/v1`,
    requests: model.requests,
    problems: model.problems,
    close,
    [Symbol.asyncDispose]: close,
  };
}

class ScriptedModel {
  readonly requests: AnsweredRequest[] = [];
  readonly problems: string[] = [];
  readonly #script: ModelScript;
  readonly #tokenMs: number;
  readonly #closing = new AbortController();
  readonly #closed = new Promise<void>((resolve) => {
    this.#closing.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  /** How many replies of the script were given. */
  #given = 0;

  constructor(script: ModelScript, tokenMs: number) {
    this.#script = script;
    this.#tokenMs = tokenMs;
  }

  close(): void {
    this.#closing.abort();
  }

  async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      if (req.method !== 'POST' || req.url !== '/v1/chat/completions') {
        return sendError(res, 404, { message: `Invalid URL (${req.method} ${req.url})` });
      }
      if (!/^Bearer \S/.test(req.headers.authorization ?? '')) {
        return sendError(res, 401, { message: "You didn't provide an API key.", code: 'invalid_api_key' });
      }
      const body = await readJson(req);
      const problem = shapeProblem(body);
      if (problem !== undefined) return this.#refuse(res, problem);
      await this.#take(body as ModelBody, res);
    } catch (error) {
      // The client has gone, or the test's script threw.
      if (!res.destroyed) this.#fail(res, `The script threw: ${error}`);
    }
  }

  async #take(body: ModelBody, res: ServerResponse): Promise<void> {
    const request = new AnsweredRequest(this.requests.length + 1, body);
    this.requests.push(request);
    const hungUp = new AbortController();
    res.once('close', () => {
      if (res.writableEnded) return;
      request.isHungUp = true;
      hungUp.abort();
    });
    try {
      await this.#answer(request, res, hungUp.signal);
    } finally {
      request.end();
    }
  }

  async #answer(request: AnsweredRequest, res: ServerResponse, hungUp: AbortSignal): Promise<void> {
    request.refusal = refusalOf(request.body);
    if (request.refusal !== undefined) {
      const { rule, message, param } = request.refusal;
      request.status = 400;
      return this.#refuse(res, message, `request ${request.number} breaks ${rule}`, param);
    }
    const reply = await this.#reply(request);
    if (this.#closing.signal.aborted) return;
    if (reply === undefined) {
      request.status = 500;
      return this.#fail(res, `The script has no reply for request ${request.number}.`);
    }
    if (isFailure(reply)) {
      const { status, message = `The script says ${status}.`, headers } = reply;
      request.status = status;
      return sendError(res, status, { message, type: 'api_error' }, headers);
    }
    const output = request.body.stream === true ? new ChunkOutput(res, request) : new WholeOutput(res, request);
    const options = { hungUp, closing: this.#closing.signal, tokenMs: this.#tokenMs };
    await new Player(request, output, options).play(piecesOf(reply));
  }

  #reply(request: AnsweredRequest): Awaitable<ModelReply | undefined> {
    const script = this.#script;
    if (typeof script !== 'function') return script[this.#given++];
    return Promise.race([script(request), this.#closed.then(() => undefined)]);
  }

  #refuse(res: ServerResponse, message: string, where = 'a request is malformed', param?: string): void {
    this.problems.push(`${where}: ${message}`);
    sendError(res, 400, { message, ...(param === undefined ? {} : { param }) });
  }

  /** What is wrong with the test gets through to it at once: clients send a 500 again unless they are told not to. */
  #fail(res: ServerResponse, message: string): void {
    this.problems.push(message);
    if (res.headersSent) res.destroy();
    else sendError(res, 500, { message, type: 'script_error' }, { 'x-should-retry': 'false' });
  }
}

async function readJson(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LONGEST_BODY) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}
