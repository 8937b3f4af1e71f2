import type { RunEvents } from '../index.js';

/** The names of the events of a control. */
export type EventName = keyof RunEvents & string;

/**
 * The channel of each event. The names are stable: an event that is renamed would be a new channel beside the old one.
 */
export const DIAGNOSTICS_CHANNELS: { readonly [K in EventName]: `runfence:${K}` } = Object.freeze({
  'run:started': 'runfence:run:started',
  'run:aborted': 'runfence:run:aborted',
  'run:ended': 'runfence:run:ended',
  'run:saved': 'runfence:run:saved',
  'run:quiet': 'runfence:run:quiet',
  'run:forgotten': 'runfence:run:forgotten',
  'run:orphaned': 'runfence:run:orphaned',
  'session:changed': 'runfence:session:changed',
  'queue:changed': 'runfence:queue:changed',
  'effect:fenced': 'runfence:effect:fenced',
  'lock:granted': 'runfence:lock:granted',
  'lock:released': 'runfence:lock:released',
  'lock:lost': 'runfence:lock:lost',
});

export const EVENT_NAMES: readonly EventName[] = Object.freeze(Object.keys(DIAGNOSTICS_CHANNELS) as EventName[]);
