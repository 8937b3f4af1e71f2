import { z } from 'zod';
import { isDeeper, isSerialised } from '../transport/index.js';
import type { GatewayErrorCode } from './codes.js';
import { GatewayError } from './gateway-error.js';

/** A request as it comes in. */
export interface Request {
  readonly id: string;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

const request = z.object({
  type: z.literal('req'),
  id: z.string().min(1).max(128),
  method: z.string().min(1).max(128),
  params: z.record(z.string(), z.unknown()).optional(),
});

/** What a frame is: a request, or why it is none, with its id if it has one. */
export type Read =
  | { readonly request: Request }
  | { readonly id: string | null; readonly code: GatewayErrorCode; readonly message: string };

export function readFrame(text: string, jsonDepth: number): Read {
  if (isDeeper(text, jsonDepth)) {
    return { id: null, code: 'json_too_deep', message: `A frame may be nested ${jsonDepth} deep.` };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { id: null, code: 'invalid_json', message: 'The frame is not JSON.' };
  }
  const id = idOf(value);
  if (hasForbiddenKey(value)) {
    return {
      id,
      code: 'forbidden_key',
      message: 'A frame must not have the keys __proto__, constructor and prototype.',
    };
  }
  if (isSerialised(value)) {
    return { id, code: 'forbidden_key', message: 'A serialised object of LangChain is not taken from a client.' };
  }
  const parsed = request.safeParse(value);
  if (!parsed.success) {
    return {
      id,
      code: 'invalid_frame',
      message: `A request is { type: 'req', id, method, params }: ${saidOf(parsed.error)}`,
    };
  }
  const { method, params = {} } = parsed.data;
  return { request: { id: parsed.data.id, method, params } };
}

const FORBIDDEN: readonly string[] = ['__proto__', 'constructor', 'prototype'];

function hasForbiddenKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasForbiddenKey);
  return Object.keys(value).some(
    (key) => FORBIDDEN.includes(key) || hasForbiddenKey((value as Record<string, unknown>)[key]),
  );
}

function idOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'id')) return null;
  const { id } = value as { id: unknown };
  return typeof id === 'string' && id !== '' && id.length <= 128 ? id : null;
}

/**
 * Parameters as a method has them.
 *
 * @throws `invalid_params`, with the first one that is wrong
 */
export function readParams<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new GatewayError('invalid_params', saidOf(parsed.error));
}

function saidOf(error: z.ZodError): string {
  const [issue] = error.issues;
  const path = issue?.path.map(String).join('.') ?? '';
  return `${path === '' ? '' : `${path}: `}${issue?.message ?? 'not valid'}`;
}

export function answer(id: string, payload: unknown): string {
  return JSON.stringify({ type: 'res', id, ok: true, payload });
}

export function refusal(id: string | null, code: string, message: string): string {
  return JSON.stringify({ type: 'res', id, ok: false, error: { code, message } });
}

/** `payload` is JSON already. */
export function eventFrame(event: string, seq: number, payload: string): string {
  return `{"type":"event","event":"${event}","seq":${seq},"payload":${payload}}`;
}

/** Counted only where it may matter: a character has one to three bytes. */
export function bytesOf(text: string, most: number): number {
  if (text.length > most || text.length * 3 <= most) return text.length;
  return new TextEncoder().encode(text).length;
}
