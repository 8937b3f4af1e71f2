import { isRunAbortedError, isRunfenceError } from '../../index.js';
import { clientGone, HttpError, invalidRequest, isHttpError, NO_RETRY } from '../../transport/index.js';
import type { Call } from './context.js';
import { checkJson } from './json.js';

/**
 * The JSON of a request's body, within the limits of bytes, time and depth.
 *
 * @param isNeeded - false: an empty body is `{}`
 * @throws `unsupported_media_type`, `body_too_large`, `body_timeout`, `invalid_json`, `json_too_deep`
 */
export async function readJson(call: Call, isNeeded = true): Promise<unknown> {
  const { request, context } = call;
  const type = request.headers.get('content-type');
  // A form, or a text, is what a page of another site can send without being asked for its origin.
  const isJson = type?.split(';')[0]?.trim().toLowerCase() === 'application/json';
  if (!isJson && (isNeeded || type !== null)) throw wrongType();
  const bytes = await readBytes(call);
  if (!isNeeded && bytes.length === 0) return {};
  if (!isJson) throw wrongType();
  return checkJson(bytes, context.limits.jsonDepth);
}

function wrongType(): HttpError {
  return new HttpError(415, 'unsupported_media_type', 'Send application/json.');
}

async function readBytes({ request, context }: Call): Promise<Uint8Array> {
  const { limits, control } = context;
  if (request.bodyUsed) {
    throw new Error('The body was read before the handler: mount it before a body parser.');
  }
  const said = Number(request.headers.get('content-length') ?? 0);
  if (said > limits.bodyBytes) throw tooLarge(limits.bodyBytes);
  if (request.body === null) return new Uint8Array();
  if (request.signal.aborted) throw clientGone();
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  let refuse: (error: HttpError) => void = () => {};
  const ends = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  ends.catch(() => {});
  const timer = control.clock.setTimeout(() => refuse(tooSlow()), limits.bodyTimeoutMs);
  const leave = (): void => refuse(clientGone());
  request.signal.addEventListener('abort', leave, { once: true });
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), ends]);
      if (done) return joined(chunks, size);
      if (!(value instanceof Uint8Array)) throw invalidRequest('The body must be bytes.');
      size += value.length;
      if (size > limits.bodyBytes) throw tooLarge(limits.bodyBytes);
      chunks.push(value);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    // A mistake of the host's, such as a body that was read before; anything else is a connection that broke in the upload.
    throw isHttpError(error) || isHosts(error) ? error : clientGone();
  } finally {
    control.clock.clearTimeout(timer);
    request.signal.removeEventListener('abort', leave);
  }
}

function isHosts(error: unknown): boolean {
  return isRunfenceError(error) && !isRunAbortedError(error);
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function tooLarge(limit: number): HttpError {
  return new HttpError(413, 'body_too_large', `The body may have ${limit} bytes.`);
}

function tooSlow(): HttpError {
  return new HttpError(408, 'body_timeout', 'The body took too long.', { headers: NO_RETRY });
}
