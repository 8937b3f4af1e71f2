/** A client as a browser would be one: it knows the server by its HTTP answers only. */

export interface Receipt {
  readonly quiet: boolean;
  readonly elapsedMs: number;
  readonly runs: readonly {
    readonly runId: string;
    readonly state: string;
    readonly lock: string;
    readonly epilogue: string;
    readonly leftovers: readonly string[];
    readonly fencedEffects: number;
    readonly elapsedMs: number;
  }[];
}

interface Chunk {
  readonly at: number;
  readonly text: string;
}

const MARK = /\n\[(completed|stopped: [\w-]+|failed)\]\n/;

/** One streamed answer, with the time at which each piece of it arrived. */
export class Answer {
  readonly sentAt: number = performance.now();
  readonly chunks: Chunk[] = [];
  readonly done: Promise<void>;
  status = 0;
  endedAt: number | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(response: Promise<Response>) {
    this.done = this.#read(response);
    this.done.catch(() => undefined);
  }

  get raw(): string {
    return this.chunks.map((chunk) => chunk.text).join('');
  }

  /** What the user reads: everything before the line that says how it ended. */
  get text(): string {
    const mark = MARK.exec(this.raw);
    return mark === null ? this.raw : this.raw.slice(0, mark.index);
  }

  get words(): number {
    return this.text.split(/\s+/).filter(Boolean).length;
  }

  /** The line that says how it ended: `completed`, `stopped: user`; undefined while it is still being written. */
  get ending(): string | undefined {
    return MARK.exec(this.raw)?.[1];
  }

  /** Whatever came after the line that says how it ended, and is not the receipt. Must be nothing. */
  get late(): string {
    const mark = MARK.exec(this.raw);
    if (mark === null) return '';
    return this.raw.slice(mark.index + mark[0].length).replace(/\[receipt\] \{.*\}\n$/, '');
  }

  get receipt(): Receipt | undefined {
    const line = /\[receipt\] (\{.*\})\n$/.exec(this.raw)?.[1];
    return line === undefined ? undefined : (JSON.parse(line) as Receipt);
  }

  get firstTextAt(): number | undefined {
    return this.chunks[0]?.at;
  }

  /** When the last piece of text came in. */
  get lastTextAt(): number | undefined {
    return this.#arrived(this.text.length);
  }

  /** When the line came in that says how it ended: from then on the user knows. */
  get endingAt(): number | undefined {
    const mark = MARK.exec(this.raw);
    return mark === null ? undefined : this.#arrived(mark.index + mark[0].length);
  }

  #arrived(length: number): number | undefined {
    let rest = length;
    for (const { at, text } of this.chunks) {
      if (text.length >= rest) return at;
      rest -= text.length;
    }
    return undefined;
  }

  /** Resolves once `condition` holds, and rejects if the answer ends without it. */
  async until(condition: (answer: this) => boolean): Promise<void> {
    while (!condition(this)) {
      if (this.endedAt !== undefined)
        throw new Error(`The answer ended early (${this.status}): ${JSON.stringify(this.raw.slice(-80))}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async #read(pending: Promise<Response>): Promise<void> {
    try {
      const response = await pending;
      this.status = response.status;
      const decoder = new TextDecoder();
      for await (const bytes of response.body ?? []) {
        this.chunks.push({ at: performance.now(), text: decoder.decode(bytes, { stream: true }) });
        this.#wake();
      }
    } finally {
      this.endedAt = performance.now();
      this.#wake();
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

export class Client {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  chat(chat: string, text: string): Answer {
    return new Answer(this.#post('/chat', { chat, text }));
  }

  async stop(chat: string): Promise<{ readonly result: string } & Receipt> {
    const response = await this.#post('/stop', { chat });
    return (await response.json()) as { result: string } & Receipt;
  }

  #post(path: string, body: object): Promise<Response> {
    return fetch(this.#url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
  }
}
