import type { Followed } from './followed.js';

type Params = Readonly<Record<string, unknown>>;

/** Methods that may be asked twice: they only look, or a key says that it is the same. */
const SAFE: readonly string[] = [
  'chat.send',
  'agent',
  'chat.steer',
  'chat.answer',
  'agent.wait',
  'sessions.list',
  'sessions.get',
  'sessions.subscribe',
  'sessions.unsubscribe',
  'runs.receipt',
];
const KEYED: readonly string[] = ['chat.send', 'agent', 'chat.steer'];

/** What is sent: with a key, where the same must not be done twice. */
export function keyed(method: string, params: Params): Params {
  if (!KEYED.includes(method) || params.idempotencyKey !== undefined) return params;
  return { ...params, idempotencyKey: crypto.randomUUID() };
}

/**
 * What is sent again on a new connection; `undefined` for what must not be. A stop is for the runs that were known when it
 * was asked for: one that has started since, in another window, is not meant.
 */
export function repeatOf(method: string, params: Params, followed: Followed): (() => Params) | undefined {
  if (SAFE.includes(method)) return () => params;
  if (method !== 'chat.abort' && method !== 'sessions.abort') return undefined;
  if (params.runId !== undefined) return () => params;
  const key = method === 'chat.abort' ? params.sessionKey : params.key;
  const runIds = followed.live(String(key));
  return () => (runIds.length === 0 ? params : { ...params, runIds });
}
