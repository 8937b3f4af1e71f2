import type { Readable } from 'node:stream';
import type { Run } from '../index.js';

type Chunk = Uint8Array<ArrayBuffer>;

/**
 * One output of a process. It is read only as fast as its reader reads: what waits here is at most Node's buffer, and a
 * process that writes more waits in its `write`. Once nobody can read it any more it is read and dropped, so that a
 * process that is being stopped, or was let go, is not held up by it.
 */
export class Output {
  readonly #source: Readable | undefined;
  readonly #heard: () => void;
  #stream: ReadableStream<Chunk>;
  #reader!: Reader;
  #isAskedFor = false;
  #isDropping = false;
  #isTreeGone = false;

  /** @param heard - called when there is output, and when it was read */
  constructor(source: Readable | null, run: Run, heard: () => void) {
    this.#source = source ?? undefined;
    this.#heard = heard;
    // Also if nobody ever asks for it: the end of the run is told through it.
    this.#stream = this.#open(run);
    source?.on('readable', () => this.#changed());
    for (const end of ['end', 'error', 'close']) source?.on(end, () => this.#ended());
  }

  get hasUnread(): boolean {
    return !this.#isDropping && (this.#source?.readableLength ?? 0) > 0;
  }

  /** The output from here on, behind the fence of the run that has it. */
  get stream(): ReadableStream<Chunk> {
    this.#isAskedFor = true;
    return this.#stream;
  }

  /** Another run goes on with what is unread; the stream of the one before ends. */
  handOver(run: Run): void {
    this.#reader.end();
    this.#isDropping = false;
    this.#isAskedFor = false;
    this.#stream = this.#open(run);
  }

  /** What it left to read stays. What is dropped is closed: a stranger may hold the other end open for ever. */
  treeIsGone(): void {
    this.#isTreeGone = true;
    if (this.#isDropping) this.destroy();
  }

  #drop(): void {
    this.#isDropping = true;
    if (this.#isTreeGone) this.destroy();
    else this.#changed();
  }

  /** Does not keep the host process alive. */
  unref(): void {
    (this.#source as { unref?: () => unknown } | undefined)?.unref?.();
  }

  ref(): void {
    (this.#source as { ref?: () => unknown } | undefined)?.ref?.();
  }

  destroy(): void {
    this.#source?.destroy();
  }

  #ended(): void {
    this.#reader.wake();
    // A run that starts many processes is not to keep a stream for each output that nobody has looked at. If the run is
    // over, the stream has rejected already.
    if (!this.#isAskedFor) this.#stream.cancel().catch(() => {});
  }

  #changed(): void {
    this.#heard();
    if (this.#isDropping) while (this.#source?.read() != null);
    this.#reader.wake();
  }

  #open(run: Run): ReadableStream<Chunk> {
    const reader = new Reader(this.#source, this.#heard, () => {
      if (this.#reader === reader) this.#drop();
    });
    this.#reader = reader;
    return run.fence(new ReadableStream(reader, { highWaterMark: 0 }));
  }
}

/** Takes a chunk from the source only when it is asked: what it does not hand on stays for the next reader. */
class Reader implements UnderlyingDefaultSource<Chunk> {
  readonly #source: Readable | undefined;
  readonly #heard: () => void;
  readonly #cancelled: () => void;
  #controller: ReadableStreamDefaultController<Chunk> | undefined;
  #isOver = false;
  wake: () => void = () => {};

  constructor(source: Readable | undefined, heard: () => void, cancelled: () => void) {
    this.#source = source;
    this.#heard = heard;
    this.#cancelled = cancelled;
  }

  start(controller: ReadableStreamDefaultController<Chunk>): void {
    this.#controller = controller;
  }

  async pull(controller: ReadableStreamDefaultController<Chunk>): Promise<void> {
    while (!this.#isOver) {
      const source = this.#source;
      const chunk: Chunk | null = source?.read() ?? null;
      if (chunk !== null) {
        this.#heard();
        controller.enqueue(chunk);
        return;
      }
      if (source === undefined || source.readableEnded || source.destroyed) this.end();
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  cancel(): void {
    this.#isOver = true;
    this.wake();
    this.#cancelled();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller?.close();
    this.wake();
  }
}
