import type { After } from '../api/sessions.js';

interface Seen {
  readonly session: string;
  readonly generation: number;
  readonly seq: number;
  readonly isOver: boolean;
}

/** What of an event says where it belongs. */
interface Placed {
  readonly runId: string;
  readonly sessionKey: string;
  readonly generation: number;
  readonly seq: number;
  readonly state?: string;
}

/** So many runs that are over are remembered: what is told of them again is not told twice. */
const MOST_OVER = 1_000;

/** The sessions that a client follows, and how far it has got in each of their runs. */
export class Followed {
  readonly #sessions = new Map<string, { readonly key: string; readonly owner?: string }>();
  readonly #runs = new Map<string, Seen>();

  add(key: string, owner?: string): void {
    this.#sessions.set(JSON.stringify([key, owner]), { key, ...(owner === undefined ? {} : { owner }) });
  }

  remove(key: string, owner?: string): void {
    this.#sessions.delete(JSON.stringify([key, owner]));
  }

  /** @returns false for what was told before */
  see(name: string, event: Placed): boolean {
    const { runId, sessionKey: session, generation, seq, state } = event;
    const known = this.#runs.get(runId);
    const isEnd = name === 'chat' && state !== 'delta';
    if (known !== undefined && name !== 'restart' && generation <= known.generation) {
      if (generation < known.generation || known.isOver) return false;
      if (!isEnd && seq <= known.seq) return false;
    }
    // The newest is the last: the oldest ones that are over go first.
    this.#runs.delete(runId);
    this.#runs.set(runId, { session, generation, seq, isOver: isEnd });
    if (isEnd) this.#forget();
    return true;
  }

  /** The runs of a session that go on, as far as is known. */
  live(session: string): string[] {
    return [...this.#runs].flatMap(([runId, run]) => (run.session === session && !run.isOver ? [runId] : []));
  }

  /** What is asked for on a new connection: each session, behind what is there. */
  subscriptions(): { readonly key: string; readonly owner?: string; readonly after: Record<string, After> }[] {
    return [...this.#sessions.values()].map(({ key, ...owner }) => ({
      key,
      ...owner,
      after: Object.fromEntries(
        [...this.#runs].flatMap(([runId, { session, generation, seq, isOver }]) =>
          session === key && !isOver ? [[runId, { generation, seq }]] : [],
        ),
      ),
    }));
  }

  #forget(): void {
    const over = [...this.#runs].filter(([, run]) => run.isOver);
    for (const [runId] of over.slice(0, Math.max(0, over.length - MOST_OVER))) this.#runs.delete(runId);
  }
}
