import type { Backend, Notices } from '../backend/index.js';
import type { FaultSource } from './random-faults.js';

/** What is wrong with the hearing at the moment. */
export interface Hearing {
  readonly isDeaf: boolean;
  readonly isEchoing: boolean;
  readonly isTerse: boolean;
}

/** The notices of one `FaultyBackend`, between the backend that gives them and the nodes that hear them. */
export class FaultyNotices {
  readonly #hearing: Hearing;
  readonly #faults: FaultSource | undefined;
  readonly #subscribers: Set<{ readonly notices: Notices }> = new Set();
  readonly #held: (() => void)[] = [];
  #isHolding = false;

  constructor(hearing: Hearing, faults: FaultSource | undefined) {
    this.#hearing = hearing;
    this.#faults = faults;
  }

  get heldCount(): number {
    return this.#held.length;
  }

  hold(): void {
    this.#isHolding = true;
  }

  release(): void {
    this.#isHolding = false;
    for (const tell of this.#held.splice(0)) tell();
  }

  /** Tells every subscriber now, whatever is wrong. */
  tellAll(tell: (notices: Notices) => void): void {
    for (const { notices } of [...this.#subscribers]) tell(notices);
  }

  subscribe(over: Backend, nodeId: string, notices: Notices): () => void {
    const subscriber = { notices };
    this.#subscribers.add(subscriber);
    const tell = (notice: () => void): void => {
      const hear = (): void => {
        for (let times = this.#hearing.isEchoing ? 2 : 1; times > 0; times--) {
          if (!this.#hearing.isDeaf && this.#subscribers.has(subscriber)) notice();
        }
      };
      if (this.#isHolding) this.#held.push(hear);
      else if (this.#faults === undefined) hear();
      else this.#faults.notice(hear);
    };
    const atHand = <T>(value: T | undefined): T | undefined => (this.#hearing.isTerse ? undefined : value);
    const remove = over.subscribe(nodeId, {
      changed: (key, version, snapshot) => tell(() => notices.changed(key, version, atHand(snapshot))),
      listed: (version, list) => tell(() => notices.listed(version, atHand(list))),
      gap: () => tell(() => notices.gap()),
      lost: () => tell(() => notices.lost()),
      orphaned: (runs, acknowledge) => tell(() => notices.orphaned(runs, acknowledge)),
    });
    return () => {
      this.#subscribers.delete(subscriber);
      remove();
    };
  }
}
