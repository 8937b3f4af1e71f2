/**
 * Run control for agent servers: a stop that really stops.
 *
 * @module runfence
 */

export type { AbortResult, QuietReport, Receipt, Recorded, RunReport, WhenQuietOptions } from './core/abort/receipt.js';
export {
  AbortRegistry,
  type AbortRegistryOptions,
  type ExistingEntry,
  type NotRegistered,
  type Registered,
  type RegisterOptions,
  type Registration,
} from './core/abort/registry.js';
export type { AbortOptions } from './core/abort/request.js';
export type { Action, AuthorityQuestion, AuthorityTarget, Authorize, Ownerless } from './core/authority.js';
export type { Backend } from './core/backend/port.js';
export type { LockHolder } from './core/backend/records.js';
export { createRunControl, type RunControl, type RunControlOptions, type StreamOptions } from './core/control.js';
export type { DrainOptions } from './core/drain.js';
export type {
  LockEvent,
  QueueEvent,
  RunAbortedEvent,
  RunEndedEvent,
  RunEvent,
  RunEvents,
  RunQuietEvent,
  RunView,
  SessionEvent,
} from './core/events.js';
export type { AtAbort } from './core/fence/at-abort.js';
export type { FenceOptions, GateStreamOptions } from './core/fence/fence.js';
export type { IterableStream } from './core/fence/sources.js';
export type { Awaitable } from './core/internal/awaitable.js';
export type { Clock } from './core/internal/clock.js';
export { type ErrorCode, isRunfenceError, RunfenceError } from './core/internal/errors.js';
export type { ErrorContext, OnError } from './core/internal/reporter.js';
export { type SessionKey, sessionKeyOf } from './core/internal/session-key.js';
export type { BackendSnapshot } from './core/ledger/ledger.js';
export type { EpilogueContext } from './core/lock/epilogue.js';
export type { CommitContext, Grant } from './core/lock/grant.js';
export { type AcquireOptions, SessionLock, type SessionLockOptions } from './core/lock/session-lock.js';
export { LockTimeoutError } from './core/lock/waiter.js';
export { ADMIN, HOST, type Principal, type Requester } from './core/principal.js';
export type { Draft, Save, SaveContext } from './core/run/draft.js';
export type { ChildOptions, OnDuplicate, RunDefaults, RunOptions, StartWhen } from './core/run/options.js';
export type {
  AbortedOutcome,
  CompletedOutcome,
  FailedOutcome,
  NoOutcome,
  Outcome,
  WaitOutcome,
} from './core/run/outcome.js';
export { type ReadOptions, RunRegistry } from './core/run/registry.js';
export type { Defaults, RunRegistryOptions } from './core/run/registry-options.js';
export type {
  AbortedBeforeStart,
  Acknowledged,
  BeginResult,
  Duplicate,
  FailedToStart,
  Queued,
  QueuedRun,
  QueueResult,
  Rejected,
  RunCompleted,
  RunResult,
  Started,
  StartedRun,
  StartResult,
  StreamResult,
} from './core/run/results.js';
export type { RetentionOptions } from './core/run/retention.js';
export type { Attached, Attachment, Run } from './core/run/run.js';
export type { LoadedSession, Sessions } from './core/run/sessions.js';
export type { SessionView } from './core/run/view.js';
export type { WaitOptions } from './core/run/wait.js';
export type { WhenBusy } from './core/run/when-busy.js';
export type {
  ControlSnapshot,
  InspectOptions,
  LockSnapshot,
  RunSnapshot,
  SessionSnapshot,
  WaitSnapshot,
} from './core/snapshot.js';
export { type AbortReason, type GateAbortedError, isRunAbortedError, RunAbortedError } from './core/stop/reason.js';
export type { Selector } from './core/stop/selector.js';
export type { EpilogueState, LockState, RunStatus, SavedState } from './core/stop/states.js';
