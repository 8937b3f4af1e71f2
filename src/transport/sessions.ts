import { isRunfenceError, type Principal, type RunView, type SessionKey, sessionKeyOf } from '../index.js';
import type { Caller } from './caller.js';

/** How the keys of clients become those of sessions, and back. */
export interface KeyMap {
  readonly session?: ((principal: Principal, key: string) => SessionKey | undefined) | undefined;
  readonly keyOf?: ((sessionKey: string) => string) | undefined;
}

/** A principal by its widest id, or a connection that comes back would be somebody else. */
export function scopeOf({ userId, deviceId, connId }: Principal): readonly string[] {
  if (userId !== undefined) return [userId];
  return deviceId === undefined ? ['connection', connId ?? ''] : ['device', deviceId];
}

/** The session that a client means, or why there is none: the host refuses it, or it is no key. */
export function mapKey(
  { session }: KeyMap,
  principal: Principal,
  key: string,
): { readonly sessionKey: string } | 'refused' | 'blank' | 'too-long' {
  const mapped: SessionKey | undefined = session === undefined ? [...scopeOf(principal), key] : session(principal, key);
  if (mapped === undefined) return 'refused';
  if (key.trim() === '') return 'blank';
  try {
    return { sessionKey: sessionKeyOf(mapped) };
  } catch (error) {
    if (isRunfenceError(error, 'INVALID_OPTIONS')) return 'too-long';
    throw error;
  }
}

/** The client's key of a session. */
export function wireKeyOf({ keyOf }: KeyMap, sessionKey: string): string {
  return keyOf === undefined ? lastPart(sessionKey) : keyOf(sessionKey);
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
export function ownerFor({ isAdmin }: Caller, owner: Principal | undefined): { readonly owner?: Principal } {
  return isAdmin && owner !== undefined ? { owner } : {};
}

/** The sessions of a client's key among these runs: an admin's key may be that of several users. */
export function sessionsNamed(
  keys: KeyMap,
  runs: readonly RunView[],
  { key, runId }: { readonly key: string; readonly runId?: string | undefined },
): string[] {
  const named = runs.filter((run) => wireKeyOf(keys, run.sessionKey) === key);
  const meant = runId === undefined ? named : named.filter((run) => run.runId === runId);
  return [...new Set(meant.map(({ sessionKey }) => sessionKey))];
}
