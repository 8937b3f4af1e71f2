/** A place in a scenario where a stop is to land. */
export interface Target {
  readonly at: number;
  /** What is there: another name at this number is another scenario. */
  readonly name: string;
}

/**
 * Numbers every call that passes through a proxy: before it, after it has returned, and after what it returned has
 * settled. A dry run has no target and only counts; with a target, `land` is called at it, inside the proxy, once.
 */
export class Points {
  readonly names: string[] = [];
  /** What went wrong with the landing itself, such as a point that was not reached again. */
  readonly problems: string[] = [];
  hasLanded = false;
  readonly #target: Target | undefined;
  #land: (() => void) | undefined = undefined;

  constructor(target?: Target) {
    this.#target = target;
  }

  onLanding(land: () => void): void {
    this.#land = land;
  }

  step(name: string): void {
    if (this.hasLanded) return;
    const at = this.names.length;
    this.names.push(name);
    if (this.#target?.at !== at) return;
    this.hasLanded = true;
    if (this.#target.name !== name) this.problems.push(`point ${at} is "${name}", and not "${this.#target.name}"`);
    try {
      this.#land?.();
    } catch (error) {
      this.problems.push(`the stop threw: ${error}`);
    }
  }

  around<A extends readonly unknown[], R>(name: string, call: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      this.step(`${name}: before`);
      let answer: R;
      try {
        answer = call(...args);
      } catch (error) {
        this.step(`${name}: after it threw`);
        throw error;
      }
      this.step(`${name}: after`);
      return isPromise(answer) ? (this.#settling(name, answer) as R) : answer;
    };
  }

  async #settling<T>(name: string, answer: PromiseLike<T>): Promise<T> {
    try {
      return await answer;
    } finally {
      this.step(`${name}: after it settled`);
    }
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
