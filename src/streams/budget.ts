import type { Principal } from '../index.js';
import { principalKey } from './principal-key.js';

/** What can be dropped to make room. */
export interface Kept {
  readonly account: Account;
  readonly bytes: number;
  /** Drops its oldest entry, but not the only one; says how much that was, 0 for nothing. */
  dropOldest(): number;
  /** Drops all that it keeps; says how much that was. */
  dropAll(): number;
}

/** What the records of one owner take together. */
export interface Account {
  readonly key: string | undefined;
  bytes: number;
  /** How many records are charged to it. */
  records: number;
  /** The ended ones, oldest first. */
  readonly ended: Set<Kept>;
}

/**
 * What all records take together. Where there is too much, ended ones are dropped, oldest first; live ones lose their
 * oldest events only if they themselves grow. An owner who takes more than a fair share pays for it with records of their
 * own, so that nobody flushes another's.
 */
export class Budget {
  readonly #totalBytes: number;
  readonly #bytesPerOwner: number;
  readonly #accounts = new Map<string | undefined, Account>();
  /** The ended ones of all owners, oldest first. */
  readonly #ended = new Set<Kept>();
  bytes = 0;

  constructor(totalBytes: number, bytesPerOwner: number) {
    this.#totalBytes = totalBytes;
    this.#bytesPerOwner = bytesPerOwner;
  }

  /** @param owner - the host itself if absent, which has the limit of all */
  open(owner: Principal | undefined): Account {
    const key = owner === undefined ? undefined : principalKey(owner);
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = { key, bytes: 0, records: 0, ended: new Set() };
      this.#accounts.set(key, account);
    }
    account.records += 1;
    return account;
  }

  charge(record: Kept, bytes: number): void {
    const { account } = record;
    account.bytes += bytes;
    this.bytes += bytes;
    if (this.bytes > this.#totalBytes || account.bytes > this.#bytesPerOwner) this.#makeRoom(record);
  }

  /** From now on it can be dropped for others. */
  end(record: Kept): void {
    this.#ended.add(record);
    record.account.ended.add(record);
    this.#makeRoom(record);
  }

  /** Its content is deleted. */
  erase(record: Kept): void {
    this.#return(record, record.dropAll());
  }

  /**
   * It is not charged any more.
   *
   * @param isRead - somebody still reads what it keeps, and has it from now on
   */
  close(record: Kept, isRead: boolean): void {
    const { account } = record;
    this.#ended.delete(record);
    account.ended.delete(record);
    this.#return(record, isRead ? record.bytes : record.dropAll());
    account.records -= 1;
    if (account.records === 0) this.#accounts.delete(account.key);
  }

  #makeRoom(record: Kept): void {
    const { account } = record;
    if (account.key !== undefined) {
      while (account.bytes > this.#bytesPerOwner) if (!this.#dropOne(record, account.ended)) break;
    }
    while (this.bytes > this.#totalBytes) {
      const isGreedy = account.ended.size > 0 && account.bytes > this.#totalBytes / this.#accounts.size;
      if (!this.#dropOne(record, isGreedy ? account.ended : this.#ended)) break;
    }
  }

  /** False: there is nothing that may be dropped for this record. */
  #dropOne(record: Kept, ended: ReadonlySet<Kept>): boolean {
    for (const oldest of ended) {
      this.#drop(oldest);
      return true;
    }
    const bytes = record.dropOldest();
    this.#return(record, bytes);
    return bytes > 0;
  }

  #drop(record: Kept): void {
    this.#ended.delete(record);
    record.account.ended.delete(record);
    this.#return(record, record.dropAll());
  }

  #return({ account }: Kept, bytes: number): void {
    account.bytes -= bytes;
    this.bytes -= bytes;
  }
}
