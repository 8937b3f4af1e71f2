import type { Hint } from './answers.js';
import type { Calls } from './calls.js';

/** Postgres takes no longer ones. */
const LONGEST = 7_900;
/** A whole notice that says: read everything. */
export const ALL = '*';

/**
 * Tells other processes what to look at, after the commit and on another connection: within it, commits would wait for
 * each other. Nobody waits for it. Anybody may read a notice, so it has digests and versions only.
 */
export class Hints {
  readonly #calls: Calls;
  #waiting: Map<string, Map<string, number>> = new Map();
  #sending: Promise<void> | undefined;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  send(hints: readonly Hint[]): void {
    for (const hint of hints) {
      if (hint.to === '') continue;
      let about = this.#waiting.get(hint.to);
      if (about === undefined) {
        about = new Map();
        this.#waiting.set(hint.to, about);
      }
      if ('list' in hint) about.set('list', hint.list);
      else about.set(hint.session, hint.version);
    }
    if (this.#waiting.size > 0) this.#sending ??= this.#sendAll();
  }

  async sent(): Promise<void> {
    await this.#sending;
  }

  /** What comes while some are on their way goes with the next ones. */
  async #sendAll(): Promise<void> {
    // The caller has its answer first.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const notices = [...this.#waiting].map(([to, about]) => ({ to, text: noticeOf(about) }));
      this.#waiting = new Map();
      await this.#calls.call('send_hints', [notices]).catch(() => {});
    }
    this.#sending = undefined;
  }
}

/** What it says is read, one by one, by `hintsIn`. */
export function noticeOf(about: ReadonlyMap<string, number>): string {
  const text = [...about].map(([what, version]) => `${what}:${version}`).join(' ');
  return text.length <= LONGEST ? text : ALL;
}

const DIGEST = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What a notice names. Anybody can send one: what is not understood is nothing. */
export function hintsIn(text: string): { readonly what: string; readonly version: number }[] {
  return text.split(' ').flatMap((part) => {
    const [what = '', number = ''] = part.split(':');
    const version = Number(number);
    const isMeant = what === 'list' || DIGEST.test(what);
    return isMeant && Number.isSafeInteger(version) && version > 0 ? [{ what, version }] : [];
  });
}
