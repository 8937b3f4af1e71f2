/** The longest text of one entry: its ends fit into 16 bits. */
export const LONGEST_TEXT = 0xffff;
/** Characters that were appended one token at a time are a chain of small strings, each with its header. */
const PIECES = 64;

/**
 * Text that grows by many small pieces, and gives what follows any of them. Pieces are joined in groups: a chain of all
 * of them would take ten times the memory of their characters.
 */
export class MergedText {
  #joined = '';
  /** How many pieces are in `#joined`. */
  #joinedCount = 0;
  #pieces: string[] = [];
  /** Where each piece ends. */
  #ends: Uint16Array = new Uint16Array(8);
  #count = 0;
  length = 0;

  add(text: string): void {
    this.length += text.length;
    if (this.#count === this.#ends.length) {
      const ends = new Uint16Array(this.#count * 2);
      ends.set(this.#ends);
      this.#ends = ends;
    }
    this.#ends[this.#count] = this.length;
    this.#count += 1;
    this.#pieces.push(text);
    if (this.#pieces.length === PIECES) this.#join();
  }

  all(): string {
    return this.#joined + this.#pieces.join('');
  }

  /** @param count - how many pieces are left out at the beginning */
  behind(count: number): string {
    if (count >= this.#joinedCount) return this.#pieces.slice(count - this.#joinedCount).join('');
    const from = count === 0 ? 0 : (this.#ends[count - 1] as number);
    return this.#joined.slice(from) + this.#pieces.join('');
  }

  /** Nothing will be added: what was kept for that is let go. */
  seal(): void {
    this.#join();
    this.#ends = this.#ends.slice(0, this.#count);
  }

  #join(): void {
    this.#joined = this.all();
    this.#joinedCount = this.#count;
    this.#pieces = [];
  }
}
