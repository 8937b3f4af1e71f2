/**
 * What a backend is, and the one in memory: for authors of backends, and for tests of several nodes in one process.
 *
 * @module runfence/backend
 */

export { type Memory, type MemoryOptions, memory } from '../core/backend/memory.js';
export type {
  Attempt,
  ForgottenStop,
  MemoryState,
  RunState,
  SessionLockState,
  SessionState,
  StopState,
} from '../core/backend/memory-state.js';
export type { Backend, Notices } from '../core/backend/port.js';
export type {
  ListedStop,
  LockHolder,
  RecordedStop,
  Reservation,
  RunRef,
  Snapshot,
  StopList,
  StoredReport,
  StoredRun,
} from '../core/backend/records.js';
export type {
  AnnounceAnswer,
  AnnounceRequest,
  Answered,
  CheckRequest,
  ClaimAnswer,
  ClaimBusy,
  ClaimDuplicate,
  ClaimGranted,
  ClaimRequest,
  ClaimStopped,
  EndAnswer,
  Ended,
  EndRefused,
  EndRequest,
  ForgetRequest,
  LockAnswer,
  LockBusy,
  LockGranted,
  LockRequest,
  LockStale,
  ReadRunRequest,
  ReadSessionRequest,
  RecordRequest,
  ReservedEpilogue,
  StopAnswer,
  StopEverywhereAnswer,
  StopEverywhereRequest,
  StopItem,
  StoppedRun,
  StopRequest,
  UnlockAnswer,
  UnlockRequest,
} from '../core/backend/requests.js';
export type { StoredSelector } from '../core/stop/selector.js';
