import type { SessionLockState } from './memory-state.js';
import type { LockHolder, LockRequest, ReservedEpilogue } from './port.js';

/** One session's lock: who holds it, and whose epilogues come before the next holder. */
export class MemoryLock {
  holder: LockHolder | undefined = undefined;
  /** How many grants there were. */
  grants = 0;
  /** In the order of the cuts. */
  #reserved: ReservedEpilogue[] | undefined = undefined;

  state(): SessionLockState {
    return { holder: this.holder, grants: this.grants, reserved: [...(this.#reserved ?? [])] };
  }

  restore({ holder, grants, reserved }: SessionLockState): void {
    this.holder = holder;
    this.grants = grants;
    if (reserved.length > 0) this.#reserved = [...reserved];
  }

  get isFree(): boolean {
    return this.holder === undefined && this.#first === undefined;
  }

  isReserved(token: number): boolean {
    return this.#reserved?.some((reserved) => reserved.token === token) === true;
  }

  /** Whether nobody comes before this request. */
  isFreeFor({ reserved }: LockRequest): boolean {
    const first = this.#first;
    return this.holder === undefined && (first === undefined || first.token === reserved);
  }

  grant({ run, nodeId, reserved, since }: LockRequest, token: number): void {
    this.holder = { runId: run?.runId, nodeId, token, since };
    if (reserved === undefined) this.grants += 1;
    else this.#reserved?.shift();
  }

  /** Frees the lock, or a reservation, if it is this token's. */
  free(token: number): boolean {
    if (this.holder?.token === token) {
      this.holder = undefined;
      return true;
    }
    return this.#drop((reserved) => reserved.token === token);
  }

  reserve(epilogue: ReservedEpilogue): void {
    this.#reserved ??= [];
    this.#reserved.push(epilogue);
  }

  reservationOf(runId: string): ReservedEpilogue | undefined {
    return this.#reserved?.find((reserved) => reserved.runId === runId);
  }

  dropReservationOf(runId: string): void {
    this.#drop((reserved) => reserved.runId === runId);
  }

  get #first(): ReservedEpilogue | undefined {
    return this.#reserved?.[0];
  }

  #drop(isMeant: (reserved: ReservedEpilogue) => boolean): boolean {
    const at = this.#reserved?.findIndex(isMeant) ?? -1;
    if (at >= 0) this.#reserved?.splice(at, 1);
    return at >= 0;
  }
}
