import type { z } from 'zod';
import { HttpError, invalidRequest, isDeeper, isSerialised } from '../../transport/index.js';

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
  if (isSerialised(value)) throw invalidRequest('A serialised object of LangChain is not taken from a client.');
  return value;
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
