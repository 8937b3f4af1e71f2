/**
 * A scripted stand-in for a model provider. It speaks the OpenAI chat-completions protocol over real loopback HTTP,
 * so the official client cannot tell the difference, and it writes down what a real provider would bill:
 * how many tokens it generated, when the client hung up, and what it generated after that.
 *
 * Which script it plays is decided by the model's name (`scripted-deaf`) or else by a word in the last user message:
 *
 *   deaf    a long answer that goes on after the client hung up, as some providers do
 *   checks  asks for the tool `run_checks`, then answers with its result
 *   report  asks for the tool `write_report` twice, then sums up the results
 *   time    asks for the tool `current_time`, then answers with it
 *   hello   a short answer
 *   long    everything else: a long answer
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What one request did. Times are `performance.now()` of this process. */
export interface ModelCall {
  readonly id: number;
  readonly script: string;
  readonly prompt: string;
  readonly toolResults: number;
  readonly startedAt: number;
  /** Tokens generated, those after the client hung up included: what a provider would bill. */
  tokens: number;
  tokensAfterHangUp: number;
  hungUpAt: number | undefined;
  endedAt: number | undefined;
}

export interface ModelServerOptions {
  readonly tokensPerSecond?: number;
  readonly onHangUp?: (call: ModelCall) => void;
}

export interface ModelServer {
  /** For `OPENAI_BASE_URL`. */
  readonly baseURL: string;
  readonly calls: readonly ModelCall[];
  close(): Promise<void>;
}

interface Message {
  readonly role: string;
  readonly content?: unknown;
}
interface ChatRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  readonly tools?: readonly { readonly function?: { readonly name?: string } }[];
}
interface ToolCall {
  readonly name: string;
  readonly arguments: string;
}
interface Reply {
  readonly script: string;
  readonly prompt: string;
  readonly toolResults: number;
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
}

const LONG =
  'A canal is a patient machine. Water will not climb, so the builders taught the boats to climb instead. ' +
  'Each lock is a small room with a gate at either end: close one, open a valve, and the floor rises. ' +
  'Nothing is pumped and nothing is lifted by force; the hill does the work and the keeper only decides when. ' +
  'On a busy day the queue reaches round the bend, and the oldest rule is the only one that matters: ' +
  'whoever holds the lock leaves it ready for the next boat. A keeper who wanders off with both gates shut ' +
  'stops the whole valley, and no amount of shouting from the barges will move the water. ' +
  'So the good keepers learned to let go early, to note the level in the book, and to tell the next crew what was left. ' +
  'Further down, the summit pound feeds everything. It is filled by streams that nobody looks at, and when it runs low ' +
  'the boats wait, however loud the whistle. The engineers wrote of gradients and cubic feet, but the crews wrote of ' +
  'evenings: lamps along the towpath, a kettle on the stove, the gate creaking shut behind them, and the slow certainty ' +
  'of rising by another eight feet before the night is over.';

const SCRIPTS: readonly string[] = ['deaf', 'report', 'checks', 'time', 'hello'];

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown }) => (typeof part?.text === 'string' ? part.text : '')).join('');
}

function chooseReply(request: ChatRequest): Reply {
  const lastUser = request.messages.findLastIndex((message) => message.role === 'user');
  const prompt = textOf(request.messages[lastUser]?.content);
  const results = request.messages
    .slice(lastUser + 1)
    .filter((message) => message.role === 'tool')
    .map((message) => textOf(message.content));
  const named = /^scripted-(\w+)$/.exec(request.model)?.[1];
  const script = named ?? SCRIPTS.find((name) => new RegExp(`\\b${name}\\b`, 'i').test(prompt)) ?? 'long';
  const base = { script, prompt, toolResults: results.length };

  const wanted: Readonly<Record<string, readonly ToolCall[]>> = {
    report: [
      { name: 'write_report', arguments: JSON.stringify({ topic: 'canals' }) },
      { name: 'write_report', arguments: JSON.stringify({ topic: 'locks' }) },
    ],
    checks: [{ name: 'run_checks', arguments: '{}' }],
    time: [{ name: 'current_time', arguments: '{}' }],
  };
  const offered = new Set(request.tools?.map((tool) => tool.function?.name));
  const toolCalls = (wanted[script] ?? []).filter((call) => offered.has(call.name));
  if (results.length === 0 && toolCalls.length > 0)
    return { ...base, text: 'One moment, let me see to that. ', toolCalls };
  if (results.length > 0) return { ...base, text: `Done. What came back: ${results.join(' ')}`, toolCalls: [] };
  return { ...base, text: script === 'hello' ? 'Hello again! Here I am, all ears.' : LONG, toolCalls: [] };
}

async function readBody(req: IncomingMessage, limit: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function sendJson(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function sendError(res: ServerResponse, status: number, message: string, code: string | null = null): void {
  sendJson(res, status, { error: { message, type: 'invalid_request_error', param: null, code } });
}

function parseRequest(body: string): ChatRequest | string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return 'We could not parse the JSON body of your request.';
  }
  if (typeof value !== 'object' || value === null) return 'The body must be an object.';
  const { model, messages } = value as { model?: unknown; messages?: unknown };
  if (typeof model !== 'string') return "Missing required parameter: 'model'.";
  if (!Array.isArray(messages) || messages.length === 0) return "Missing required parameter: 'messages'.";
  return value as ChatRequest;
}

/** Starts the server on a free loopback port. */
export async function startModelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const { tokensPerSecond = 50, onHangUp } = options;
  const calls: ModelCall[] = [];
  const closing = new AbortController();

  async function complete(request: ChatRequest, res: ServerResponse): Promise<void> {
    const { script, prompt, toolResults, text, toolCalls } = chooseReply(request);
    const call: ModelCall = {
      id: calls.length + 1,
      script,
      prompt,
      toolResults,
      startedAt: performance.now(),
      tokens: 0,
      tokensAfterHangUp: 0,
      hungUpAt: undefined,
      endedAt: undefined,
    };
    calls.push(call);
    const hungUp = new AbortController();
    res.once('close', () => {
      if (res.writableEnded) return;
      call.hungUpAt = performance.now();
      hungUp.abort();
      onHangUp?.(call);
    });
    const stop = AbortSignal.any(script === 'deaf' ? [closing.signal] : [closing.signal, hungUp.signal]);

    /**
     * Takes the time of a token, then counts it. False once the script has to stop. What a busy machine loses is not
     * made up for, so that a client in the same process always gets its turn between two tokens.
     */
    const generate = async (): Promise<boolean> => {
      await sleep(1000 / tokensPerSecond, undefined, { signal: stop }).catch(() => undefined);
      if (stop.aborted) return false;
      call.tokens++;
      if (hungUp.signal.aborted) call.tokensAfterHangUp++;
      return true;
    };

    const words = text.match(/\s*\S+\s*$|\s*\S+/g) ?? [];
    const head = { id: `chatcmpl-${call.id}`, created: Math.floor(Date.now() / 1000), model: request.model };
    const promptTokens = request.messages.reduce(
      (sum, message) => sum + textOf(message.content).split(/\s+/).length,
      0,
    );
    const usage = (): object => ({
      prompt_tokens: promptTokens,
      completion_tokens: call.tokens,
      total_tokens: promptTokens + call.tokens,
    });
    const finishReason = toolCalls.length > 0 ? 'tool_calls' : 'stop';
    const callId = (index: number): string => `call_${call.id}_${index}`;

    if (request.stream !== true) {
      for (const _ of words) if (!(await generate())) return;
      const tool_calls = toolCalls.map((tool, index) => ({ id: callId(index), type: 'function', function: tool }));
      const message = {
        role: 'assistant',
        content: text,
        refusal: null,
        ...(tool_calls.length > 0 ? { tool_calls } : {}),
      };
      const choices = [{ index: 0, message, logprobs: null, finish_reason: finishReason }];
      call.endedAt = performance.now();
      return sendJson(res, 200, { ...head, object: 'chat.completion', choices, usage: usage() });
    }

    const withUsage = request.stream_options?.include_usage === true;
    const send = (payload: object): void => {
      if (!hungUp.signal.aborted) res.write(`data: ${JSON.stringify(payload)}\n\n`);
    };
    const sendDelta = (delta: object, finish_reason: string | null = null): void =>
      send({
        ...head,
        object: 'chat.completion.chunk',
        choices: [{ index: 0, delta, logprobs: null, finish_reason }],
        ...(withUsage ? { usage: null } : {}),
      });

    res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
    sendDelta({ role: 'assistant', content: '', refusal: null });
    for (const content of words) {
      if (!(await generate())) return;
      sendDelta({ content });
    }
    for (const [index, tool] of toolCalls.entries()) {
      const first = { index, id: callId(index), type: 'function', function: { name: tool.name, arguments: '' } };
      sendDelta({ tool_calls: [first] });
      for (const piece of tool.arguments.match(/.{1,8}/gs) ?? []) {
        if (!(await generate())) return;
        sendDelta({ tool_calls: [{ index, function: { arguments: piece } }] });
      }
    }
    sendDelta({}, finishReason);
    if (withUsage) send({ ...head, object: 'chat.completion.chunk', choices: [], usage: usage() });
    call.endedAt = performance.now();
    if (!hungUp.signal.aborted) res.end('data: [DONE]\n\n');
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (req.method !== 'POST' || req.url !== '/v1/chat/completions') {
      return sendError(res, 404, `Unknown request URL: ${req.method} ${req.url}.`, 'unknown_url');
    }
    if (!/^Bearer \S+$/.test(req.headers.authorization ?? '')) {
      return sendError(res, 401, "You didn't provide an API key.", 'invalid_api_key');
    }
    const body = await readBody(req, 4 * 1024 * 1024);
    if (body === undefined) return sendError(res.setHeader('connection', 'close'), 413, 'The body is too large.');
    const request = parseRequest(body);
    if (typeof request === 'string') return sendError(res, 400, request);
    await complete(request, res);
  }

  const server = createServer((req, res) => {
    handle(req, res).catch(() => res.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    baseURL: `http://127.0.0.1:${port}/v1`,
    calls,
    async close() {
      closing.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
