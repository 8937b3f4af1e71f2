/** Who is asked for an answer, until it comes. */
export class Pending {
  readonly #waiting = new Set<string>();
  #count = 0;

  /** Notes a promise by name. What it rejects with is an answer, too. */
  note<T>(name: string, promise: PromiseLike<T>): Promise<T | undefined> {
    const label = `${name} #${++this.#count}`;
    this.#waiting.add(label);
    return Promise.resolve(promise).then(
      (value) => {
        this.#waiting.delete(label);
        return value;
      },
      () => {
        this.#waiting.delete(label);
        return undefined;
      },
    );
  }

  get names(): string[] {
    return [...this.#waiting];
  }
}
