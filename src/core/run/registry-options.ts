import { AbortRegistry } from '../abort/registry.js';
import { checkBackend } from '../backend/check-backend.js';
import type { Backend } from '../backend/port.js';
import type { Clock } from '../internal/clock.js';
import { invalid } from '../internal/errors.js';
import type { OnError } from '../internal/reporter.js';
import { checkCount, checkLimit, checkObject, keysOf } from '../internal/validate.js';
import { checkDefaults, type RunDefaults } from './options.js';
import type { RetentionOptions } from './retention.js';

/** How a `RunRegistry` is made. */
export interface RunRegistryOptions {
  /** Where generations, locks, duplicates and notices live; in this process by default. */
  readonly backend?: Backend;
  /** The registry that stops its runs, to be shared with what a host registers by itself. */
  readonly aborts?: AbortRegistry;
  /** Where time comes from; the platform's clocks by default. */
  readonly clock?: Clock;
  /** How long ended runs stay known by id. */
  readonly retention?: RetentionOptions;
  /** What runs get that do not say otherwise, and the bounds of locks, epilogues and the backend. */
  readonly defaults?: Defaults;
  /** Receives errors that have no caller. Not together with `aborts`, which has its own. */
  readonly onError?: OnError;
}

/** What runs get that do not say otherwise, and the bounds of locks, epilogues and the backend. All times in ms. */
export interface Defaults extends Partial<RunDefaults> {
  /** How long an epilogue may take from its grant; 1 000. */
  readonly epilogueMs?: number;
  /** How long a critical section may go on after an abort; 5 000. */
  readonly writeGraceMs?: number;
  /** How long a commit waits for the lock; 30 000. */
  readonly lockTimeoutMs?: number;
  /** How long an answer of the backend may take; 2 000. */
  readonly backendTimeoutMs?: number;
}

/** The options of a `RunRegistry`, checked, with their defaults. */
export interface RegistrySpec {
  readonly backend: Backend | undefined;
  readonly aborts: AbortRegistry | undefined;
  readonly clock: Clock | undefined;
  readonly onError: OnError | undefined;
  readonly retention: RetentionOptions;
  readonly defaults: RunDefaults;
  readonly bounds: Defaults;
}

const OPTIONS: ReadonlySet<string> = keysOf<RunRegistryOptions>({
  backend: true,
  aborts: true,
  clock: true,
  retention: true,
  defaults: true,
  onError: true,
});
const RETENTION: ReadonlySet<string> = keysOf<RetentionOptions>({ ttlMs: true, max: true });
const DEFAULTS: ReadonlySet<string> = keysOf<Defaults>({
  kind: true,
  whenBusy: true,
  startWhen: true,
  timeoutMs: true,
  queueTimeoutMs: true,
  graceMs: true,
  epilogueMs: true,
  writeGraceMs: true,
  lockTimeoutMs: true,
  backendTimeoutMs: true,
});

export function checkRegistryOptions(options: RunRegistryOptions): RegistrySpec {
  checkObject('RunRegistry options', options, OPTIONS);
  const { backend, aborts, clock, retention = {}, defaults = {}, onError } = options;
  if (backend !== undefined) checkBackend(backend);
  checkObject('defaults', defaults, DEFAULTS);
  checkObject('retention', retention, RETENTION);
  checkCount('retention.ttlMs', retention.ttlMs);
  checkCount('retention.max', retention.max);
  checkLimit('defaults.epilogueMs', defaults.epilogueMs);
  checkLimit('defaults.writeGraceMs', defaults.writeGraceMs);
  checkLimit('defaults.lockTimeoutMs', defaults.lockTimeoutMs);
  checkLimit('defaults.backendTimeoutMs', defaults.backendTimeoutMs);
  if (aborts !== undefined) checkAborts(aborts, clock, onError);
  return { backend, aborts, clock, onError, retention, defaults: checkDefaults(defaults), bounds: defaults };
}

function checkAborts(aborts: AbortRegistry, clock: Clock | undefined, onError: OnError | undefined): void {
  if (!(aborts instanceof AbortRegistry)) throw invalid('aborts must be an AbortRegistry.');
  if (aborts.recorder !== undefined || onError !== undefined) {
    throw invalid('aborts belongs to another RunRegistry, or onError was given beside it.');
  }
  if (clock !== undefined && aborts.runtime.clock !== clock) {
    throw invalid('clock must be the clock of aborts: leave it out.');
  }
}
