import { readdir, readFile, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, ifThere } from './disk-errors.js';
import { type Identity, isProvenDead } from './identity.js';

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
 * Says which heartbeats of other processes have ended. Death is proven by what the kernel says of the process, or by
 * a heartbeat that this process has watched standing still for `staleMs` of its own monotonic clock. It is final:
 * whoever is declared dead and wakes up finds its heartbeat gone.
 */
export class Beats {
  readonly #folder: string;
  readonly #staleMs: number;
  readonly #own: Promise<Identity>;
  readonly #seen: Map<string, Seen> = new Map();
  readonly #dead: Set<string> = new Set();
  readonly #buried: Set<string> = new Set();

  constructor(options: { readonly folder: string; readonly staleMs: number; readonly own: Promise<Identity> }) {
    this.#folder = options.folder;
    this.#staleMs = options.staleMs;
    this.#own = options.own;
  }

  isDead(beat: string): boolean {
    return this.#dead.has(beat) || this.#buried.has(beat);
  }

  isBuried(beat: string): boolean {
    return this.#buried.has(beat);
  }

  async isDeclaredDead(beat: string): Promise<boolean> {
    return (await ifThere(() => stat(this.#path(beat, 'dead')))) !== undefined;
  }

  /** Looks again at heartbeats that stand in the way. True if one of them was not known to be dead, and is. */
  async judge(beats: readonly string[]): Promise<boolean> {
    let isNews = false;
    for (const beat of beats) {
      if (this.isDead(beat)) continue;
      if (await this.#isOver(beat)) {
        this.#dead.add(beat);
        isNews = true;
      }
    }
    return isNews;
  }

  /** Looks for heartbeats that ended long ago, or that nothing is known of. */
  async bury(beats: readonly string[]): Promise<void> {
    for (const beat of beats) {
      const end = await ifThere(() => stat(this.#path(beat, 'dead')));
      const start = await ifThere(() => stat(this.#path(beat, 'json')));
      const isOld = end !== undefined && Date.now() - end.mtimeMs > KEPT_MS;
      if (isOld || (end === undefined && start === undefined)) this.#buried.add(beat);
      else if (end !== undefined) this.#dead.add(beat);
    }
  }

  /** A heartbeat has ended, for good. Told once or often, by its own process or by others. */
  async declareDead(beat: string): Promise<void> {
    await this.#mark(beat);
    this.#dead.add(beat);
    this.#seen.delete(beat);
    // Whoever owns it, and was only paused, finds it gone at the next beat.
    await ifThere(() => rmdir(this.#path(beat, 'lock')));
  }

  /** Removes the files of heartbeats that ended so long ago that nobody asks for them. */
  async sweep(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith('.dead')) continue;
      const beat = name.slice(0, -'.dead'.length);
      const end = await ifThere(() => stat(join(this.#folder, name)));
      if (end === undefined || Date.now() - end.mtimeMs <= 2 * KEPT_MS) continue;
      await ifThere(() => unlink(this.#path(beat, 'json')));
      await ifThere(() => unlink(join(this.#folder, name)));
    }
  }

  async #isOver(beat: string): Promise<boolean> {
    if (await this.isDeclaredDead(beat)) return true;
    const identity = await this.#identity(beat);
    if (identity === undefined || (await isProvenDead(identity, await this.#own)) || (await this.#isStale(beat))) {
      await this.declareDead(beat);
      return true;
    }
    return false;
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

  /** `undefined` for a heartbeat whose process left nothing. */
  async #identity(beat: string): Promise<Identity | undefined> {
    const text = await ifThere(() => readFile(this.#path(beat, 'json'), 'utf8'));
    return text === undefined ? undefined : (JSON.parse(text) as Identity);
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
