/**
 * What this browser remembers: which conversations a user has, by key and title. The server knows those with runs of the
 * last minutes; what was said is on the server alone.
 */
export class Store {
  #name;

  constructor(userId) {
    this.#name = `runfence.conversations.${userId}`;
  }

  /** The newest first. */
  list() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.#name) ?? '[]');
      return Array.isArray(kept) ? kept.filter(({ key }) => typeof key === 'string') : [];
    } catch {
      // Somebody else's data, or no storage at all.
      return [];
    }
  }

  put(key, title) {
    const others = this.list().filter((one) => one.key !== key);
    const known = this.list().find((one) => one.key === key);
    try {
      localStorage.setItem(
        this.#name,
        JSON.stringify([{ key, title: known?.title ?? title }, ...others].slice(0, 100)),
      );
    } catch {
      // The page works without.
    }
  }

  /** Another tab has changed it. */
  onChange(listener) {
    addEventListener('storage', ({ key }) => {
      if (key === this.#name) listener();
    });
  }
}

const TOKEN = 'runfence.token';

/** The token of this tab: gone with it, and never in an address. */
export function readToken() {
  return sessionStorage.getItem(TOKEN) ?? undefined;
}

export function keepToken(token) {
  if (token === undefined) sessionStorage.removeItem(TOKEN);
  else sessionStorage.setItem(TOKEN, token);
}
