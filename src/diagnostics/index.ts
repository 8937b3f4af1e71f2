/**
 * Events of a control on `node:diagnostics_channel`, for logs, metrics and traces.
 *
 * @module runfence/diagnostics
 */

export { DIAGNOSTICS_CHANNELS, type EventName } from './channels.js';
export { debugDiagnostics } from './debug.js';
export { publishDiagnostics } from './publish.js';
