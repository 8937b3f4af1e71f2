import type { RunOptions, Selector } from 'runfence';
import type { Choices } from '../choices.js';
import type { Seen } from './witness.js';

const SESSIONS = 12;
const USERS = 4;
const KINDS = ['chat', 'agent', 'cron'] as const;
const TAGS = ['a', 'b', 'c'] as const;
/** Without a bound the load itself would leak. */
const MOST_SHARED = 4;

/** What the load asks for: runs with every kind of option, and selectors that hit some of them. */
export class Wishes {
  readonly #name: string;
  readonly #random: Choices;
  readonly #shared: AbortController[] = [];
  #recentIds: string[] = [];
  #lastId = 0;

  /** @param name - sets its sessions and run ids apart from those of other loads */
  constructor(name: string, random: Choices) {
    this.#name = name;
    this.#random = random;
  }

  /** A run has begun: its id may be asked for again. */
  remember(runId: string): void {
    this.#recentIds.push(runId);
    if (this.#recentIds.length > 200) this.#recentIds = this.#recentIds.slice(100);
  }

  /** The oldest of the signals that runs hang on is aborted. */
  abortSignal(): void {
    this.#shared.shift()?.abort();
  }

  options(): RunOptions {
    const random = this.#random;
    const sessionKey = this.sessionKey();
    const owner = {
      userId: `u${random.chance(0.9) ? Number(sessionKey.slice(-1)) % USERS : random.between(0, USERS - 1)}`,
    };
    const repeated = random.chance(0.05) ? this.anyId() : undefined;
    const runId = repeated ?? (random.chance(0.2) ? this.#newId() : undefined);
    const signal = random.chance(0.2) ? this.#signal() : undefined;
    return {
      sessionKey,
      kind: random.pick(KINDS),
      whenBusy: random.weighted({ interrupt: 5, enqueue: 3, reject: 1, concurrent: 2 }),
      startWhen: random.chance(0.15) ? 'quiet' : 'fenced',
      tags: random.chance(0.3) ? [random.pick(TAGS)] : [],
      signal,
      ...(random.chance(0.9) && { owner }),
      ...(random.chance(0.25) && { timeoutMs: random.between(1, 20) }),
      ...(random.chance(0.6) && { queueTimeoutMs: random.between(1, 60) }),
      ...(runId !== undefined && { runId }),
    };
  }

  #newId(): string {
    if (this.#random.chance(0.05)) return this.idToCome();
    this.#lastId += 1;
    return `${this.#name}-own-${this.#lastId}`;
  }

  /** One of few, which intents are for. */
  idToCome(): string {
    return `${this.#name}-to-come-${this.#random.between(0, 50)}`;
  }

  anyId(): string | undefined {
    return this.#recentIds[this.#random.between(0, this.#recentIds.length)];
  }

  sessionKey(): string {
    return `${this.#name}-${this.#random.between(0, SESSIONS - 1)}`;
  }

  /** One that is aborted soon, alone or with other runs that hang on it. */
  #signal(): AbortSignal {
    const [shared] = this.#shared;
    const isEnough = this.#shared.length === MOST_SHARED || this.#random.chance(0.8);
    if (shared !== undefined && isEnough) return shared.signal;
    const fresh = new AbortController();
    this.#shared.push(fresh);
    return fresh.signal;
  }

  selector({ run }: Seen): Selector {
    switch (this.#random.weighted({ runId: 8, session: 8, generation: 3, owner: 1, kind: 1, tag: 1, both: 3 })) {
      case 'runId':
        return { runId: run.id };
      case 'session':
        return { sessionKey: run.sessionKey };
      case 'generation':
        return { sessionKey: run.sessionKey, generation: run.generation };
      case 'owner':
        return { owner: { userId: run.owner?.userId ?? 'u0' } };
      case 'kind':
        return { kind: run.kind };
      case 'tag':
        return { tag: this.#random.pick(TAGS) };
      case 'both':
        return { sessionKey: run.sessionKey, kind: run.kind };
    }
  }
}
