import { lstat, readdir, rmdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PRIVATE_FILE, readPlain } from './disk.js';
import { codeOf, ifThere } from './disk-errors.js';
import { checkIdentity, type Identity, isBeatName, isProvenDead } from './identity.js';
import { Stillness } from './stillness.js';

/** For how long what a dead process left for retries is kept, in ms: the retention that a control has by default. */
const KEPT_MS = 300_000;

/** How a heartbeat ended: its process was proven dead, closed, or found that its heartbeat was taken away. */
type Death = 'killed' | 'closed' | 'lost';

/**
 * Says which heartbeats have ended, and which stand still. An end is final, and is told by a file: the process is
 * proven dead by what the kernel says of it, or has said so itself. One that stands still may wake up: its lease has
 * ended, which counts only where somebody wants what it has.
 */
export class Beats {
  readonly #folder: string;
  readonly #staleMs: number;
  readonly #own: Promise<Identity>;
  readonly #identities: Map<string, Identity> = new Map();
  /** Under way, by heartbeat. */
  readonly #meetings: Map<string, Promise<void>> = new Map();
  readonly #stillness: Stillness = new Stillness();
  /** Since when, by the observer's monotonic clock, and how. */
  readonly #dead: Map<string, { readonly since: number; readonly how: Death }> = new Map();

  constructor(options: { readonly folder: string; readonly staleMs: number; readonly own: Promise<Identity> }) {
    this.#folder = options.folder;
    this.#staleMs = options.staleMs;
    this.#own = options.own;
  }

  isDead(beat: string): boolean {
    return this.#dead.has(beat);
  }

  /** Whether its process is proven dead: it has not ended what it had. */
  isKilled(beat: string): boolean {
    return this.#dead.get(beat)?.how === 'killed';
  }

  /** Dead for so long that nobody needs what is kept of it. */
  isBuried(beat: string): boolean {
    const death = this.#dead.get(beat);
    return death !== undefined && performance.now() - death.since > KEPT_MS;
  }

  /** For how many of its leases it has been watched standing still. */
  leasesStill(beat: string): number {
    return this.isDead(beat) ? Number.POSITIVE_INFINITY : this.#stillness.msOf(beat) / this.#leaseOf(beat);
  }

  /** All that were met. */
  known(): readonly string[] {
    return [...new Set([...this.#identities.keys(), ...this.#dead.keys()])];
  }

  /** The process that beats, or did. `undefined` if that is not known here, or not any more. */
  identityOf(beat: string): Identity | undefined {
    return this.#identities.get(beat);
  }

  async isDeclaredDead(beat: string): Promise<boolean> {
    return (await ifThere(() => lstat(this.#path(beat, 'dead')))) !== undefined;
  }

  /** Looks at heartbeats: those that have stood still for their lease, or have ended, are the answer. */
  async judge(beats: readonly string[]): Promise<ReadonlySet<string>> {
    const over = new Set<string>();
    await Promise.all(
      beats.map(async (beat) => {
        await this.watch(beat);
        if (this.leasesStill(beat) >= 1) over.add(beat);
      }),
    );
    return over;
  }

  /** Looks at a heartbeat once, and keeps what was seen: one that stands still is known by having been watched. */
  async watch(beat: string): Promise<void> {
    if (this.isDead(beat)) return;
    await this.meet([beat]);
    if (this.isDead(beat)) return;
    if (await this.isDeclaredDead(beat)) this.#die(beat, await this.#howItEnded(beat));
    else if (await this.#isKilled(beat)) await this.declareDead(beat, 'killed');
    // A folder that is gone stands still as well: its process may not have noticed yet.
    else this.#stillness.see(beat, (await this.#lock(beat))?.mtimeMs ?? 0, this.#leaseOf(beat));
  }

  /** Looks at heartbeats that are met for the first time: whose they are, and which of them ended long ago. */
  async meet(beats: readonly string[]): Promise<void> {
    for (const beat of beats) {
      if (this.isDead(beat) || this.#identities.has(beat)) continue;
      let meeting = this.#meetings.get(beat);
      if (meeting === undefined) {
        meeting = this.#meetAnew(beat).finally(() => this.#meetings.delete(beat));
        this.#meetings.set(beat, meeting);
      }
      await meeting;
    }
  }

  /** One of this process. */
  meetOwn(beat: string, identity: Identity): void {
    this.#identities.set(beat, identity);
  }

  /** A heartbeat is over, for good. Said once or often, by its own process or by others. */
  async declareDead(beat: string, how: Death): Promise<void> {
    await this.#mark(beat, how);
    this.#die(beat, how);
    // A process that owns it after all finds it gone at the next beat.
    await ifThere(() => rmdir(this.#path(beat, 'lock')));
  }

  /** This process lost its own. Its folder may be gone because somebody deleted it: then the others do not know yet. */
  abandon(beat: string): void {
    this.#die(beat, 'lost');
    this.declareDead(beat, 'lost').catch(() => {});
  }

  /** Looks at all there are, also at those of whom nothing is asked. The files of those who ended long ago go. */
  async sweep(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const beat = name.slice(0, -'.json'.length);
      if (!name.endsWith('.json') || !isBeatName(beat)) continue;
      const end = await ifThere(() => lstat(this.#path(beat, 'dead')));
      if (end === undefined || ageOf(end) <= 2 * KEPT_MS) {
        await this.watch(beat);
      } else {
        await ifThere(() => unlink(this.#path(beat, 'dead')));
        await ifThere(() => unlink(this.#path(beat, 'json')));
      }
    }
  }

  async #isKilled(beat: string): Promise<boolean> {
    const identity = this.#identities.get(beat);
    return identity !== undefined && (await isProvenDead(identity, await this.#own));
  }

  /** By its own value: a process with a shorter one must not take what the other still has. */
  #leaseOf(beat: string): number {
    return this.#identities.get(beat)?.staleMs ?? this.#staleMs;
  }

  async #lock(beat: string): Promise<{ readonly mtimeMs: number } | undefined> {
    return ifThere(() => lstat(this.#path(beat, 'lock')));
  }

  async #meetAnew(beat: string): Promise<void> {
    const end = await ifThere(() => lstat(this.#path(beat, 'dead')));
    const hasRecord = await this.#meet(beat);
    if (end !== undefined) this.#die(beat, await this.#howItEnded(beat), performance.now() - ageOf(end));
    else if (!hasRecord && (await this.#lock(beat)) === undefined) this.#die(beat, 'closed', Number.NEGATIVE_INFINITY);
  }

  /** @returns false for a heartbeat whose process left nothing */
  async #meet(beat: string): Promise<boolean> {
    const path = this.#path(beat, 'json');
    if ((await ifThere(() => lstat(path))) === undefined) return false;
    try {
      this.#identities.set(beat, checkIdentity(JSON.parse((await readPlain(path)) ?? '')));
    } catch {
      // Damaged, it proves nothing about its process: the heartbeat itself does.
    }
    return true;
  }

  /** While the file is not written yet, it is not known: rather told of a death too much. */
  async #howItEnded(beat: string): Promise<Death> {
    const text = await readPlain(this.#path(beat, 'dead')).catch(() => undefined);
    return text === 'closed' || text === 'lost' ? text : 'killed';
  }

  #die(beat: string, how: Death, since: number = performance.now()): void {
    if (!this.#dead.has(beat)) this.#dead.set(beat, { since, how });
    this.#stillness.forget(beat);
  }

  async #mark(beat: string, how: Death): Promise<void> {
    try {
      await writeFile(this.#path(beat, 'dead'), how, { flag: 'wx', mode: PRIVATE_FILE });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }

  #path(beat: string, kind: 'json' | 'lock' | 'dead'): string {
    if (!isBeatName(beat)) throw new TypeError(`"${beat}" is no name of a heartbeat.`);
    return join(this.#folder, `${beat}.${kind}`);
  }
}

/** In ms, by the wall clock: how long something is kept decides nothing else. */
function ageOf({ mtimeMs }: { readonly mtimeMs: number }): number {
  return Math.max(0, Date.now() - mtimeMs);
}
