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
export type {
  AnnounceAnswer,
  AnnounceRequest,
  Answered,
  Backend,
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
  ListedStop,
  LockAnswer,
  LockBusy,
  LockGranted,
  LockHolder,
  LockRequest,
  LockStale,
  Notices,
  ReadRunRequest,
  ReadSessionRequest,
  RecordedStop,
  RecordRequest,
  Reservation,
  ReservedEpilogue,
  RunRef,
  Snapshot,
  StopAnswer,
  StopEverywhereAnswer,
  StopEverywhereRequest,
  StopItem,
  StopList,
  StoppedRun,
  StopRequest,
  StoredReport,
  StoredRun,
  UnlockAnswer,
  UnlockRequest,
} from '../core/backend/port.js';
export type { StoredSelector } from '../core/stop/selector.js';
