interface Deadline {
  readonly at: number;
  readonly order: number;
  readonly reached: () => void;
}

/**
 * Time stands still between commands. Deadlines are reached in their order, and those of one instant in the order in
 * which they were set. What is put off until later in a tick happens before anything else.
 */
export class Time {
  now = 0;
  readonly #deadlines = new Set<Deadline>();
  readonly #later: (() => void)[] = [];
  #order = 0;

  after(ms: number, reached: () => void): Deadline {
    const deadline = { at: this.now + ms, order: this.#order++, reached };
    if (ms !== Number.POSITIVE_INFINITY) this.#deadlines.add(deadline);
    return deadline;
  }

  cancel(deadline: unknown): void {
    this.#deadlines.delete(deadline as Deadline);
  }

  /** Something that the caller's code does when it hears of the answer. */
  later(callback: () => void): void {
    this.#later.push(callback);
  }

  /** The end of the tick. */
  settle(): void {
    for (let next = this.#later.shift(); next !== undefined; next = this.#later.shift()) next();
  }

  advance(ms: number): void {
    const end = this.now + ms;
    for (let next = this.#next(); next !== undefined && next.at <= end; next = this.#next()) {
      this.now = next.at;
      for (let due: Deadline | undefined = next; due !== undefined && due.at <= this.now; due = this.#next()) {
        this.#deadlines.delete(due);
        due.reached();
      }
      this.settle();
    }
    this.now = end;
  }

  /** In how many ms something falls due. */
  get untilNext(): number | undefined {
    const next = this.#next();
    return next === undefined ? undefined : next.at - this.now;
  }

  #next(): Deadline | undefined {
    let first: Deadline | undefined;
    for (const deadline of this.#deadlines) {
      if (first === undefined || deadline.at < first.at || (deadline.at === first.at && deadline.order < first.order)) {
        first = deadline;
      }
    }
    return first;
  }
}
