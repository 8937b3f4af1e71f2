/** One thing that was said or made in a chat. Saving the same `id` again replaces it. */
export interface Entry {
  readonly id: string;
  readonly role: 'user' | 'assistant' | 'report';
  text: string;
  /** `open` while the answer is being written, `complete`, or the reason why it was stopped. */
  state: string;
}

/** Where chats are kept. Each write carries the token of the lock that it was made under. */
export interface Store {
  /** Refuses the write if the token is not good any more. */
  save(chat: string, token: number, ...entries: readonly Entry[]): Promise<void>;
  read(chat: string): readonly Entry[] | Promise<readonly Entry[]>;
}

/**
 * The chats, in memory. What makes it safe is one line: each write carries the token of the lock that it was made under,
 * and a token below the newest one seen is refused, so a writer that lost the chat cannot overwrite its successor.
 * In a database the same check belongs into the write itself: `UPDATE ... WHERE chat = $1 AND token <= $2`.
 */
export class Transcript implements Store {
  readonly #chats = new Map<string, { token: number; entries: Map<string, Entry> }>();

  async save(chat: string, token: number, ...entries: readonly Entry[]): Promise<void> {
    const stored = this.#chats.get(chat) ?? { token: 0, entries: new Map<string, Entry>() };
    if (token < stored.token) throw new Error(`Stale write to ${chat}: token ${token} is older than ${stored.token}.`);
    stored.token = token;
    for (const entry of entries) stored.entries.set(entry.id, { ...entry });
    this.#chats.set(chat, stored);
  }

  read(chat: string): readonly Entry[] {
    return [...(this.#chats.get(chat)?.entries.values() ?? [])];
  }
}
