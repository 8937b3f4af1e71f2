import { isRunfenceError, type Principal, type SessionKey, sessionKeyOf } from '../../index.js';
import type { Caller, HttpContext } from './context.js';
import { invalidRequest, notFound } from './http-error.js';

/** A principal by its widest id, or a connection that comes back would be somebody else. */
export function scopeOf({ userId, deviceId, connId }: Principal): readonly string[] {
  if (userId !== undefined) return [userId];
  return deviceId === undefined ? ['connection', connId ?? ''] : ['device', deviceId];
}

/**
 * The session that a client means.
 *
 * @throws `not_found` if the host refuses it; `invalid_request` for what is no key
 */
export function sessionOf({ options }: HttpContext, principal: Principal, key: string): string {
  const mapped: SessionKey | undefined =
    options.session === undefined ? [...scopeOf(principal), key] : options.session(principal, key);
  if (mapped === undefined) throw notFound();
  if (key.trim() === '') throw invalidRequest('The session key must not be blank.');
  try {
    return sessionKeyOf(mapped);
  } catch (error) {
    if (isRunfenceError(error, 'INVALID_OPTIONS')) throw invalidRequest('This is no session key: it is too long.');
    throw error;
  }
}

/** The client's key of a session. */
export function wireKeyOf({ options }: HttpContext, sessionKey: string): string {
  return options.keyOf === undefined ? lastPart(sessionKey) : options.keyOf(sessionKey);
}

function lastPart(sessionKey: string): string {
  if (!sessionKey.startsWith('["')) return sessionKey;
  try {
    const parts: unknown = JSON.parse(sessionKey);
    const last: unknown = Array.isArray(parts) ? parts.at(-1) : undefined;
    return typeof last === 'string' ? last : sessionKey;
  } catch {
    return sessionKey;
  }
}

/** What an admin sees of an owner besides. */
export function ownerFor(caller: Caller, owner: Principal | undefined): { readonly owner?: Principal } {
  return caller.isAdmin && owner !== undefined ? { owner } : {};
}
