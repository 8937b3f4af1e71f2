import type { SessionLockState } from './memory-state.js';
import type { LockHolder, Reservation } from './records.js';

const NONE: readonly never[] = Object.freeze([]);

/** One session's lock: who holds it, and whose epilogues come before the next holder. */
export class MemoryLock {
  holder: LockHolder | undefined = undefined;
  /** The token of the last grant, epilogues not counted: an epilogue that is announced after a later one is too late. */
  lastGrant = 0;
  #attempt = 0;
  /** In the order of the cuts. */
  #reserved: Reservation[] | undefined = undefined;

  state(): SessionLockState {
    return { holder: this.holder, attempt: this.#attempt, lastGrant: this.lastGrant, reserved: [...this.reserved] };
  }

  restore({ holder, attempt, lastGrant, reserved }: SessionLockState): void {
    // JSON leaves out the run of a holder that is none.
    this.holder = holder && { ...holder, runId: holder.runId };
    this.#attempt = attempt;
    this.lastGrant = lastGrant;
    if (reserved.length > 0) this.#reserved = [...reserved];
  }

  get reserved(): readonly Reservation[] {
    return this.#reserved ?? NONE;
  }

  get isFree(): boolean {
    return this.holder === undefined && this.reserved.length === 0;
  }

  isHeldBy(nodeId: string, attempt: number): boolean {
    return this.holder?.nodeId === nodeId && this.#attempt === attempt;
  }

  grant(holder: LockHolder, attempt: number): void {
    this.holder = holder;
    this.#attempt = attempt;
    if (holder.isEpilogue) this.#reserved?.shift();
    else this.lastGrant = holder.token;
  }

  /** Frees the grant of this token. */
  release(token: number): boolean {
    if (this.holder?.token !== token) return false;
    this.#free();
    return true;
  }

  reserve(reservation: Reservation): void {
    this.#reserved ??= [];
    this.#reserved.push(reservation);
  }

  reservationOf(runId: string): Reservation | undefined {
    return this.#reserved?.find((reserved) => reserved.runId === runId);
  }

  reservation(token: number): Reservation | undefined {
    return this.#reserved?.find((reserved) => reserved.token === token);
  }

  drop(reservation: Reservation | undefined): boolean {
    if (reservation === undefined || this.#reserved === undefined) return false;
    this.#reserved.splice(this.#reserved.indexOf(reservation), 1);
    return true;
  }

  /** Takes away all that a node has here. */
  bury(nodeId: string): void {
    if (this.holder?.nodeId === nodeId) this.#free();
    this.#reserved = this.#reserved?.filter((reserved) => reserved.nodeId !== nodeId);
  }

  #free(): void {
    this.holder = undefined;
    this.#attempt = 0;
  }
}
