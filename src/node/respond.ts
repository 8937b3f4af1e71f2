import { http2StreamOf, type NodeResponse } from './types.js';

/** HTTP/2 has no place for what is said of one connection. */
const OF_CONNECTION: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
];
/** Middleware may have set one before us: it stays beside ours. */
const ADDED: readonly string[] = ['set-cookie', 'vary'];
/** `NGHTTP2_INTERNAL_ERROR`. */
const INTERNAL_ERROR = 2;

/**
 * Sends a response of the web at the client's pace. Once the client has left nothing is written, and the body is cancelled.
 *
 * @throws what the body fails with
 */
export async function respond(
  res: NodeResponse,
  response: Response,
  gone: AbortSignal,
  isHead: boolean,
): Promise<void> {
  const { body } = response;
  // Somebody else has answered, such as a middleware that bounds the time.
  const isAnswered = res.headersSent || res.writableEnded;
  if (gone.aborted || isAnswered || body === null || isHead) {
    body?.cancel(gone.reason).catch(() => {});
    if (gone.aborted || isAnswered) return;
    writeHead(res, response);
    res.end();
    return;
  }
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  try {
    await send(res, response, reader, gone);
  } catch (error) {
    reader.cancel(error).catch(() => {});
    throw error;
  }
}

async function send(
  res: NodeResponse,
  response: Response,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  gone: AbortSignal,
): Promise<void> {
  const { first, rest } = await begin(reader);
  if (gone.aborted) {
    reader.cancel(gone.reason).catch(() => {});
    return;
  }
  writeHead(res, response);
  // An answer in one part is one write, and has its length.
  if (rest === undefined) {
    if (first === undefined) res.end();
    else res.end(first);
    return;
  }
  const pace = new Pace(res, reader, gone);
  try {
    // A client waits for the head, and a stream may be silent for long.
    if (first === undefined) flushHead(res);
    else if (!write(res, first)) await pace.untilDrained();
    for (let read = rest; ; read = reader.read()) {
      const { done, value } = await read;
      if (gone.aborted) return;
      if (done) break;
      if (!write(res, value)) await pace.untilDrained();
    }
  } finally {
    pace.stop();
  }
  res.end();
}

type Read = Promise<ReadableStreamReadResult<Uint8Array>>;

/** What is there at once: the first part, and the read behind it unless that was the end. */
async function begin(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<{ readonly first: Uint8Array | undefined; readonly rest: Read | undefined }> {
  const read = reader.read();
  if (!(await isReady(read))) return { first: undefined, rest: read };
  const { done, value: first } = await read;
  if (done) return { first: undefined, rest: undefined };
  const rest = reader.read();
  return { first, rest: (await isReady(rest)) && (await rest).done ? undefined : rest };
}

/** Whether it settles before anything else can happen: Node calls its next tick once no promise has anything left to do. */
function isReady(read: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const ready = (): void => resolve(true);
    read.then(ready, ready);
    process.nextTick(resolve, false);
  });
}

function flushHead(res: NodeResponse): void {
  // Of HTTP/2 too, but its types do not say so.
  (res as { flushHeaders(): void }).flushHeaders();
}

function write(res: NodeResponse, part: Uint8Array): boolean {
  return (res as { write(part: Uint8Array): boolean }).write(part);
}

/** Waits until the client has read, has left, or the body has failed meanwhile: that a client does not read is such a failure. */
class Pace {
  readonly #res: NodeResponse;
  readonly #gone: AbortSignal;
  readonly #leave: () => void;
  #isOver = false;
  #wake = (): void => {};
  readonly #onDrain = (): void => this.#wake();

  constructor(res: NodeResponse, reader: ReadableStreamDefaultReader<Uint8Array>, gone: AbortSignal) {
    this.#res = res;
    this.#gone = gone;
    const over = (): void => {
      this.#isOver = true;
      this.#wake();
    };
    this.#leave = (): void => {
      reader.cancel(gone.reason).catch(() => {});
      over();
    };
    gone.addEventListener('abort', this.#leave, { once: true });
    res.on('drain', this.#onDrain);
    reader.closed.then(over, over);
  }

  untilDrained(): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  stop(): void {
    this.#gone.removeEventListener('abort', this.#leave);
    this.#res.off('drain', this.#onDrain);
  }
}

function writeHead(res: NodeResponse, { status, statusText, headers }: Response): void {
  const isHttp2 = http2StreamOf(res) !== undefined;
  res.statusCode = status;
  if (!isHttp2 && statusText !== '') res.statusMessage = statusText;
  headers.forEach((value, name) => {
    if (name === 'set-cookie' || (isHttp2 && OF_CONNECTION.includes(name))) return;
    if (ADDED.includes(name)) add(res, name, [value]);
    else res.setHeader(name, value);
  });
  const cookies = headers.getSetCookie();
  if (cookies.length > 0) add(res, 'set-cookie', cookies);
}

function add(res: NodeResponse, name: string, values: readonly string[]): void {
  const before = res.getHeader(name) ?? [];
  res.setHeader(name, [...(Array.isArray(before) ? before : [String(before)]), ...values]);
}

/** The client must not take what it has for the whole. */
export function breakOff(res: NodeResponse): void {
  const stream = http2StreamOf(res);
  if (stream === undefined) res.destroy();
  else stream.close(INTERNAL_ERROR);
}
