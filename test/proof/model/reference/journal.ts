/** What users see happen, as one line each: what the model says and what the library does are compared line by line. */
export class Journal {
  /** Events, in their order. */
  readonly events: string[] = [];
  /** Promises that settled: their label, and with what. In no order. */
  readonly settled: string[] = [];
  /** What `onError` heard. */
  readonly errors: string[] = [];
  /** Promises that were handed out and have not settled. */
  readonly open: Set<string> = new Set();

  promise(label: string): void {
    this.open.add(label);
  }

  /** The first result of a promise stays. */
  settle(label: string, result: string): void {
    if (this.open.delete(label)) this.settled.push(`${label}: ${result}`);
  }

  clear(): void {
    this.events.length = 0;
    this.settled.length = 0;
    this.errors.length = 0;
  }
}
