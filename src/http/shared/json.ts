import type { z } from 'zod';
import { HttpError, invalidRequest } from './http-error.js';

/**
 * Bytes as JSON that is not nested too deeply: what comes after may recurse.
 *
 * @throws `invalid_json`, `json_too_deep`, `invalid_request`
 */
export function checkJson(bytes: Uint8Array, most: number): unknown {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new HttpError(400, 'invalid_json', 'The body is not UTF-8.');
  }
  if (isDeeper(text, most)) throw new HttpError(400, 'json_too_deep', `The body may be nested ${most} deep.`);
  try {
    value = JSON.parse(text);
  } catch {
    throw new HttpError(400, 'invalid_json', 'The body is not JSON.');
  }
  refuseSerialised(value);
  return value;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function isDeeper(text: string, most: number): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isText) {
      if (code === BACKSLASH) at += 1;
      else if (code === QUOTE) isText = false;
    } else if (code === QUOTE) isText = true;
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > most) return true;
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return false;
}

/** LangChain makes objects, with the server's secrets in them, of what a client has written in this form. */
function refuseSerialised(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (Object.hasOwn(value, 'lc') && Object.hasOwn(value, 'type') && Object.hasOwn(value, 'id')) {
    throw invalidRequest('A serialised object of LangChain is not taken from a client.');
  }
  for (const part of Object.values(value)) refuseSerialised(part);
}

/**
 * A value as a schema has it.
 *
 * @throws `invalid_request`, with the first field that is wrong
 */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const param = issue?.path.map(String).join('.') ?? '';
  throw invalidRequest(
    `${param === '' ? 'The body' : param}: ${issue?.message ?? 'not valid'}`,
    param === '' ? undefined : param,
  );
}
