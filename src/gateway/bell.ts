import type { Outlet } from './outlet.js';

/** Says that sessions have changed: each once to a client that does not keep up, when it has. */
export class Bell {
  readonly #outlet: Outlet;
  readonly #waiting = new Set<string>();

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  ring(payload: string): void {
    if (!this.#outlet.isFull) {
      this.#outlet.event('sessions.changed', payload);
      return;
    }
    if (this.#waiting.size === 0) {
      void this.#outlet.whenFree().then(() => {
        const waiting = [...this.#waiting];
        this.#waiting.clear();
        for (const one of waiting) this.ring(one);
      });
    }
    this.#waiting.add(payload);
  }
}
