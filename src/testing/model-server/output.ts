import type { ServerResponse } from 'node:http';
import type { Output } from './play.js';
import type { AnsweredRequest } from './request.js';
import type { ModelFinish } from './script.js';

export function sendJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

export function sendError(
  res: ServerResponse,
  status: number,
  error: { readonly message: string; readonly type?: string; readonly param?: string; readonly code?: string },
  headers: Readonly<Record<string, string>> = {},
): void {
  const { message, type = 'invalid_request_error', param = null, code = null } = error;
  sendJson(res, status, { error: { message, type, param, code } }, headers);
}

/** Server-sent events, one for each piece. */
export class ChunkOutput implements Output {
  readonly #res: ServerResponse;
  readonly #request: AnsweredRequest;
  readonly #head: object;
  readonly #withUsage: boolean;

  constructor(res: ServerResponse, request: AnsweredRequest) {
    this.#res = res;
    this.#request = request;
    this.#head = { ...headOf(request), object: 'chat.completion.chunk' };
    this.#withUsage = request.body.stream_options?.include_usage === true;
  }

  text(kind: 'content' | 'reasoning_content' | 'refusal', text: string): void {
    this.#delta({ [kind]: text });
  }

  call(index: number, id: string, name: string): void {
    this.#delta({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] });
  }

  arguments(index: number, text: string): void {
    this.#delta({ tool_calls: [{ index, function: { arguments: text } }] });
  }

  finish(reason: ModelFinish | null): void {
    if (reason === null) {
      this.#begin();
      this.#res.end();
      return;
    }
    this.#delta({}, reason);
    if (this.#withUsage) this.#send({ ...this.#head, choices: [], usage: usageOf(this.#request) });
    this.#res.end('data: [DONE]\n\n');
  }

  drop(): void {
    this.#res.destroy();
  }

  #delta(delta: object, finish_reason: ModelFinish | null = null): void {
    this.#begin();
    this.#send({
      ...this.#head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
      ...(this.#withUsage ? { usage: null } : {}),
    });
  }

  /** With the first piece, not before: a model that hangs has sent no headers either. */
  #begin(): void {
    if (this.#res.headersSent || this.#res.destroyed) return;
    this.#request.status = 200;
    this.#res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
    this.#delta({ role: 'assistant', content: '', refusal: null });
  }

  #send(chunk: object): void {
    if (!this.#res.destroyed) this.#res.write(`data: ${JSON.stringify(chunk)}\n\n`);
  }
}

/** One message, sent when it is whole. */
export class WholeOutput implements Output {
  readonly #res: ServerResponse;
  readonly #request: AnsweredRequest;
  readonly #texts: Record<'content' | 'reasoning_content' | 'refusal', string | null> = {
    content: null,
    reasoning_content: null,
    refusal: null,
  };
  readonly #calls: { id: string; type: 'function'; function: { name: string; arguments: string } }[] = [];

  constructor(res: ServerResponse, request: AnsweredRequest) {
    this.#res = res;
    this.#request = request;
  }

  text(kind: 'content' | 'reasoning_content' | 'refusal', text: string): void {
    this.#texts[kind] = (this.#texts[kind] ?? '') + text;
  }

  call(index: number, id: string, name: string): void {
    this.#calls[index] = { id, type: 'function', function: { name, arguments: '' } };
  }

  arguments(index: number, text: string): void {
    const call = this.#calls[index];
    if (call !== undefined) call.function.arguments += text;
  }

  finish(finish_reason: ModelFinish | null): void {
    if (this.#res.destroyed) return;
    const { reasoning_content, ...texts } = this.#texts;
    const message = {
      role: 'assistant',
      ...texts,
      ...(reasoning_content === null ? {} : { reasoning_content }),
      ...(this.#calls.length > 0 ? { tool_calls: this.#calls } : {}),
    };
    this.#request.status = 200;
    sendJson(this.#res, 200, {
      ...headOf(this.#request),
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason }],
      usage: usageOf(this.#request),
    });
  }

  drop(): void {
    this.#res.destroy();
  }
}

function headOf({ number, body }: AnsweredRequest): object {
  return { id: `chatcmpl-${number}`, created: 1_700_000_000, model: body.model };
}

/** A message counts as a token: what is counted does not matter, only that it adds up. */
function usageOf({ messages, tokens }: AnsweredRequest): object {
  return {
    prompt_tokens: messages.length,
    completion_tokens: tokens,
    total_tokens: messages.length + tokens,
  };
}
