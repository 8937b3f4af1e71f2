import type { Principal } from '../index.js';
import { scopeOf } from './sessions.js';

/**
 * The run of a client's id: the same principal, session and id are the same run, in every process, and nobody can name the
 * run of another. Each part has its length before it, or two different ones would read the same.
 */
export function runIdOf(principal: Principal, sessionKey: string, key: string): Promise<string> {
  const parts = [...scopeOf(principal), sessionKey, key];
  return sha256(parts.map((part) => `${part.length}:${part}`).join(''));
}

/** A digest of plain JSON: the same for the same content, in whatever order its keys are. */
export function digestOf(value: unknown): Promise<string> {
  return sha256(JSON.stringify(value, sorted) ?? 'undefined');
}

async function sha256(text: string): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(hash)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** An id that a client chooses, such as an idempotency key. */
export function isClientId(value: string): boolean {
  return value.trim() !== '' && value.length <= 256;
}
