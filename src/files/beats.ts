import { readdir, readFile, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, ifThere } from './disk-errors.js';
import { checkIdentity, type Identity, isProvenDead } from './identity.js';

/** For how long what a dead process left for retries is kept, in ms: the retention that a control has by default. */
const KEPT_MS = 300_000;

/** How a heartbeat looked. */
interface Seen {
  readonly mtimeMs: number;
  /** When, by the observer's monotonic clock. */
  readonly at: number;
  /** For how long it has been watched standing still, in ms. */
  readonly stillMs: number;
}

/**
 * Says which heartbeats have ended. Death is proven by what the kernel says of the process, or by a heartbeat that this
 * process has watched standing still for `staleMs` of its own monotonic clock. It is final: whoever is declared dead
 * and wakes up finds its heartbeat gone.
 */
export class Beats {
  readonly #folder: string;
  readonly #staleMs: number;
  readonly #own: Promise<Identity>;
  readonly #identities: Map<string, Identity> = new Map();
  readonly #seen: Map<string, Seen> = new Map();
  /** Since when, by the observer's monotonic clock. */
  readonly #dead: Map<string, number> = new Map();

  constructor(options: { readonly folder: string; readonly staleMs: number; readonly own: Promise<Identity> }) {
    this.#folder = options.folder;
    this.#staleMs = options.staleMs;
    this.#own = options.own;
  }

  isDead(beat: string): boolean {
    return this.#dead.has(beat);
  }

  /** Dead for so long that nobody needs what is kept of it. */
  isBuried(beat: string): boolean {
    const since = this.#dead.get(beat);
    return since !== undefined && performance.now() - since > KEPT_MS;
  }

  /** Who beats, or did. `undefined` if that is not known here, or not any more. */
  identityOf(beat: string): Identity | undefined {
    return this.#identities.get(beat);
  }

  async isDeclaredDead(beat: string): Promise<boolean> {
    return (await ifThere(() => stat(this.#path(beat, 'dead')))) !== undefined;
  }

  /** Looks again at heartbeats that stand in the way. True if one of them was not known to be dead, and is. */
  async judge(beats: readonly string[]): Promise<boolean> {
    let isNews = false;
    for (const beat of beats) {
      if (this.isDead(beat) || !(await this.#isOver(beat))) continue;
      await this.declareDead(beat);
      isNews = true;
    }
    return isNews;
  }

  /** Looks at heartbeats that are met for the first time: who they are, and which of them ended long ago. */
  async meet(beats: readonly string[]): Promise<void> {
    for (const beat of beats) {
      if (this.isDead(beat) || this.#identities.has(beat)) continue;
      const end = await ifThere(() => stat(this.#path(beat, 'dead')));
      const hasRecord = await this.#meet(beat);
      if (end !== undefined) this.#dead.set(beat, performance.now() - ageOf(end));
      else if (!hasRecord) this.#dead.set(beat, Number.NEGATIVE_INFINITY);
    }
  }

  /** A heartbeat is over, for good. Said once or often, by its own process or by others. */
  async declareDead(beat: string): Promise<void> {
    await this.#mark(beat);
    this.#die(beat);
    this.#seen.delete(beat);
    // Whoever owns it, and was only paused, finds it gone at the next beat.
    await ifThere(() => rmdir(this.#path(beat, 'lock')));
  }

  /** This process lost its own. Its folder may be gone because somebody deleted it: who did not declare it dead is told so. */
  abandon(beat: string): void {
    this.#die(beat);
    this.declareDead(beat).catch(() => {});
  }

  /** Declares the killed dead of whom nothing is asked, and removes the files of those who ended so long ago that nobody asks for them. */
  async sweep(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith('.json')) continue;
      const beat = name.slice(0, -'.json'.length);
      const end = await ifThere(() => stat(this.#path(beat, 'dead')));
      if (end === undefined) {
        await this.#meet(beat);
        // Not by its heartbeat: one that is just being made has none yet.
        if (await this.#isKilled(beat)) await this.declareDead(beat);
      } else if (ageOf(end) > 2 * KEPT_MS) {
        await ifThere(() => unlink(this.#path(beat, 'dead')));
        await ifThere(() => unlink(this.#path(beat, 'json')));
      }
    }
  }

  async #isOver(beat: string): Promise<boolean> {
    if (await this.isDeclaredDead(beat)) return true;
    const hasRecord = this.#identities.has(beat) || (await this.#meet(beat));
    return !hasRecord || (await this.#isKilled(beat)) || (await this.#isStale(beat));
  }

  async #isKilled(beat: string): Promise<boolean> {
    const identity = this.#identities.get(beat);
    return identity !== undefined && (await isProvenDead(identity, await this.#own));
  }

  async #isStale(beat: string): Promise<boolean> {
    const lock = await ifThere(() => stat(this.#path(beat, 'lock')));
    // A heartbeat's folder is there from before its name is first used until its end.
    if (lock === undefined) return true;
    const at = performance.now();
    const { mtimeMs } = lock;
    const seen = this.#seen.get(beat);
    const isStill = seen !== undefined && seen.mtimeMs === mtimeMs;
    // An observer that was paused itself, perhaps together with the other, has watched nothing in that time.
    const stillMs = isStill ? seen.stillMs + Math.min(at - seen.at, this.#staleMs / 4) : 0;
    this.#seen.set(beat, { mtimeMs, at, stillMs });
    return stillMs >= this.#staleMs;
  }

  /** @returns false for a heartbeat whose process left nothing */
  async #meet(beat: string): Promise<boolean> {
    const text = await ifThere(() => readFile(this.#path(beat, 'json'), 'utf8'));
    if (text === undefined) return false;
    try {
      this.#identities.set(beat, checkIdentity(JSON.parse(text)));
    } catch {
      // Damaged, it proves nothing about its process: the heartbeat itself does.
    }
    return true;
  }

  #die(beat: string): void {
    if (!this.#dead.has(beat)) this.#dead.set(beat, performance.now());
  }

  async #mark(beat: string): Promise<void> {
    try {
      await writeFile(this.#path(beat, 'dead'), '', { flag: 'wx' });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }

  #path(beat: string, kind: 'json' | 'lock' | 'dead'): string {
    return join(this.#folder, `${beat}.${kind}`);
  }
}

/** In ms, by the wall clock: how long something is kept decides nothing else. */
function ageOf({ mtimeMs }: { readonly mtimeMs: number }): number {
  return Math.max(0, Date.now() - mtimeMs);
}
