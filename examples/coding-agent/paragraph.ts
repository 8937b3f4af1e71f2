const WIDTH = 88;

/** Makes lines of pieces of text: a terminal in which somebody types can show whole lines only. */
export class Paragraph {
  readonly #show: (line: string) => void;
  #rest = '';

  constructor(show: (line: string) => void) {
    this.#show = show;
  }

  add(text: string): void {
    this.#rest += text;
    for (let end = this.#end(); end !== undefined; end = this.#end()) {
      this.#show(this.#rest.slice(0, end));
      this.#rest = this.#rest.slice(end).replace(/^[ \n]/, '');
    }
  }

  /** What is left is a line, too. */
  end(): void {
    if (this.#rest !== '') this.#show(this.#rest);
    this.#rest = '';
  }

  #end(): number | undefined {
    const end = this.#rest.indexOf('\n');
    if (end >= 0) return end;
    if (this.#rest.length <= WIDTH) return undefined;
    const space = this.#rest.lastIndexOf(' ', WIDTH);
    return space > 0 ? space : WIDTH;
  }
}
