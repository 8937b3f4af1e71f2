/** A message and its answer. Saving the same `id` again replaces it. */
export interface Turn {
  readonly id: string;
  readonly user: string;
  answer: string;
}

export interface Store {
  read(chat: string): Promise<readonly Turn[]>;
  /** Refuses a token that is older than one it has seen. A database does so in the write itself. */
  save(chat: string, turn: Turn, token: number): Promise<void>;
}

/** The turns of all chats, in memory. */
export function memoryStore(): Store {
  const chats = new Map<string, { token: number; readonly turns: Map<string, Turn> }>();
  return {
    async read(chat) {
      return [...(chats.get(chat)?.turns.values() ?? [])];
    },
    async save(chat, turn, token) {
      const stored = chats.get(chat) ?? { token: 0, turns: new Map<string, Turn>() };
      if (token < stored.token) throw new Error(`The token ${token} is older than ${stored.token}.`);
      stored.token = token;
      stored.turns.set(turn.id, { ...turn });
      chats.set(chat, stored);
    },
  };
}
