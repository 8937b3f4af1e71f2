import { ADMIN, HOST, type Principal, RunfenceError } from '../index.js';
import { principalKey } from './principal-key.js';

/** Whoever subscribes; the host itself and `ADMIN` have no limit of their own. */
export type Viewer = Principal | typeof ADMIN | typeof HOST | undefined;

/** How many subscribers there are, of all and of each principal. */
export class Seats {
  readonly #most: number;
  readonly #mostPerPrincipal: number;
  readonly #taken = new Map<string, number>();
  count = 0;

  constructor(most: number, mostPerPrincipal: number) {
    this.#most = most;
    this.#mostPerPrincipal = mostPerPrincipal;
  }

  /** @throws `TOO_MANY_SUBSCRIBERS` */
  check(key: string | undefined): void {
    const taken = key === undefined ? 0 : (this.#taken.get(key) ?? 0);
    if (taken >= this.#mostPerPrincipal) throw tooMany(`this principal has ${taken} subscribers`);
    if (this.count >= this.#most) throw tooMany(`there are ${this.count} subscribers`);
  }

  /** @throws `TOO_MANY_SUBSCRIBERS` */
  take(key: string | undefined): void {
    this.check(key);
    this.count += 1;
    if (key !== undefined) this.#taken.set(key, (this.#taken.get(key) ?? 0) + 1);
  }

  leave(key: string | undefined): void {
    this.count -= 1;
    if (key === undefined) return;
    const left = (this.#taken.get(key) as number) - 1;
    if (left > 0) this.#taken.set(key, left);
    else this.#taken.delete(key);
  }
}

export function seatOf(viewer: Viewer): string | undefined {
  return viewer === undefined || viewer === ADMIN || viewer === HOST ? undefined : principalKey(viewer);
}

function tooMany(found: string): RunfenceError {
  return new RunfenceError('TOO_MANY_SUBSCRIBERS', `Nobody can subscribe now: ${found}. Try again later.`);
}
