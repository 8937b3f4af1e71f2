import type { Part } from '../../agent/index.js';
import { HttpError, invalidRequest } from '../../transport/index.js';
import type { Limits } from '../options.js';

/**
 * A file of a message: base64 within the limit. A URL is not fetched for a client: it would be the server that asks.
 *
 * @throws `file_not_allowed`, `invalid_request`
 */
export function filePart(limits: Limits, url: string, mediaType?: string): Part {
  if (!url.startsWith('data:')) {
    throw new HttpError(400, 'file_not_allowed', 'Files must be data: URLs with base64: other URLs are not fetched.');
  }
  const comma = url.indexOf(',');
  const [type = '', ...options] = url.slice('data:'.length, comma).split(';');
  if (comma < 0 || options.at(-1) !== 'base64') throw invalidRequest('A data: URL of a file must have base64.');
  return base64Part(limits, url.slice(comma + 1), mediaType ?? type);
}

export function base64Part(limits: Limits, data: string, mediaType: string): Part {
  if ((data.length * 3) / 4 > limits.fileBytes + 2) {
    throw new HttpError(413, 'file_not_allowed', `A file may have ${limits.fileBytes} bytes.`);
  }
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(data) || data.length % 4 !== 0) throw invalidRequest('A file must be base64.');
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(mediaType)) throw invalidRequest('A file needs its media type.');
  return { type: 'file', mediaType, data };
}
