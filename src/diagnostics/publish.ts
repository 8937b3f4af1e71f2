import { channel } from 'node:diagnostics_channel';
import { type RunControl, RunfenceError } from '../index.js';
import { DIAGNOSTICS_CHANNELS, EVENT_NAMES } from './channels.js';

/**
 * Publishes the events of a control on channels of `node:diagnostics_channel`: logs, metrics and traces subscribe there
 * without knowing the control. The message is the payload of the event, as `control.on` gives it: it is for the host, and
 * names owners. Nothing is published on a channel without subscribers. Call it once a control.
 *
 * @param control - whose events
 * @returns the remover. Safe to repeat
 * @throws `INVALID_OPTIONS` if it is no control
 *
 * @example
 * ```ts
 * import { subscribe } from 'node:diagnostics_channel';
 * import { createRunControl, type RunEvents } from 'runfence';
 * import { DIAGNOSTICS_CHANNELS, publishDiagnostics } from 'runfence/diagnostics';
 *
 * const control = createRunControl();
 * publishDiagnostics(control);
 *
 * const ended: string[] = [];
 * subscribe(DIAGNOSTICS_CHANNELS['run:ended'], (message) => {
 *   const { run } = message as RunEvents['run:ended'];
 *   ended.push(`${run.kind} ${run.status}`);
 * });
 * await control.run({ sessionKey: 'chat-1' }, async () => {});
 * console.assert(ended.join() === 'chat completed');
 * ```
 */
export function publishDiagnostics(control: Pick<RunControl, 'on'>): () => void {
  if (typeof control?.on !== 'function') {
    throw new RunfenceError('INVALID_OPTIONS', 'publishDiagnostics needs the control whose events it publishes.');
  }
  const removers = EVENT_NAMES.map((name) => {
    const events = channel(DIAGNOSTICS_CHANNELS[name]);
    return control.on(name, (payload) => {
      if (events.hasSubscribers) events.publish(payload);
    });
  });
  return () => {
    for (const remove of removers) remove();
  };
}
