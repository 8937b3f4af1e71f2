import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';
import { DIAGNOSTICS_CHANNELS, EVENT_NAMES, type EventName } from './channels.js';

/** What is on a line, in this order; owners, tags and errors are not. */
const FIELDS = ['kind', 'status', 'reason', 'supersededBy', 'elapsedMs', 'fencedEffects', 'length', 'token'] as const;

/**
 * Writes a line to stderr for each event that is published, if the environment has `NODE_DEBUG=runfence`, and does nothing
 * otherwise. A line has the event, the session, the run, and how it ended; it has no owners, tags and errors.
 *
 * @returns the remover. Safe to repeat
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 * import { debugDiagnostics, publishDiagnostics } from 'runfence/diagnostics';
 *
 * const control = createRunControl();
 * publishDiagnostics(control);
 * debugDiagnostics(); // NODE_DEBUG=runfence node server.js
 * await control.run({ sessionKey: 'chat-1' }, async () => {});
 * ```
 */
export function debugDiagnostics(): () => void {
  const log = debuglog('runfence');
  if (!log.enabled) return () => {};
  const listeners = EVENT_NAMES.map((name) => {
    const listener = (message: unknown): void => log('%s', lineOf(name, message));
    subscribe(DIAGNOSTICS_CHANNELS[name], listener);
    return () => void unsubscribe(DIAGNOSTICS_CHANNELS[name], listener);
  });
  return () => {
    for (const remove of listeners) remove();
  };
}

/** A kind is the host's, and may hold a line break. */
function plain(value: unknown): string {
  const text = String(value);
  return /^[\w.:-]*$/.test(text) ? text : JSON.stringify(text);
}

/** Anybody may publish on a channel: what is no payload of ours gives a line without fields. */
function lineOf(name: EventName, message: unknown): string {
  const { run, ...payload } = (message ?? {}) as { readonly run?: object };
  const shown: Record<string, unknown> = { ...run, ...payload };
  const fields = FIELDS.filter((field) => shown[field] !== undefined).map((field) => `${field}=${plain(shown[field])}`);
  // As JSON: a key or an id may hold a line break.
  const ids = [shown.sessionKey, shown.runId].filter((id) => id !== undefined).map((id) => JSON.stringify(id));
  return [name, ...ids, ...fields].join(' ');
}
