import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ifThere } from './disk.js';
import { linesOf, written } from './line.js';
import { Turns, type Verdict } from './turns.js';

/**
 * Never made here, so that a log that is gone stays gone. A link leads to a file of somebody else, and a pipe would hold
 * a thread of the pool until somebody writes to it.
 */
const PLAINLY = constants.O_RDWR | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const LINE_BREAK = 0x0a;

/** What a log may have in it that is not needed any more, in bytes, beside as much as is needed. */
const MOST_WASTE = 64 * 1_024;

/**
 * The log of a session, open: a file that only grows. The system appends each line as one piece, whoever else appends to
 * it at the time. So all that read it have the same lines in the same order, and a line's place in it decides what it is
 * worth.
 */
export class Log {
  readonly path: string;
  readonly turns: Turns = new Turns();
  readonly #file: FileHandle;
  /** Up to here it is read: behind a line break, since a line behind it may still grow. */
  #offset = 0;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** With all that is in it; `undefined` if it is not there. */
  static async open(path: string): Promise<Log | undefined> {
    const file = await ifThere(() => open(path, PLAINLY));
    if (file === undefined) return undefined;
    const log = new Log(path, file);
    try {
      await log.catchUp();
      return log;
    } catch (error) {
      await log.close();
      throw error;
    }
  }

  /** Half of it is not needed any more. */
  get isWasteful(): boolean {
    return this.#offset > 2 * this.turns.length + MOST_WASTE;
  }

  /**
   * Reads what has been added since.
   *
   * @param id - of a change that was added
   * @returns what became of the change; `undefined` if it is not there
   */
  async catchUp(id?: string): Promise<Verdict | undefined> {
    const bytes = await this.#rest();
    const end = bytes.lastIndexOf(LINE_BREAK) + 1;
    this.#offset += end;
    let found: Verdict | undefined;
    for (const { line, length } of linesOf(bytes.toString('utf8', 0, end))) {
      const verdict = this.turns.apply(line, length);
      if ('id' in line && line.id === id) found = verdict;
    }
    return found;
  }

  /**
   * Adds a line, in one call of the system. A part of one is no line.
   *
   * @throws what the disk says
   */
  async append(json: string): Promise<void> {
    const bytes = Buffer.from(written(json));
    const { bytesWritten } = await this.#file.write(bytes, 0, bytes.length);
    if (bytesWritten === bytes.length) return;
    throw new Error(
      `The disk took ${bytesWritten} of ${bytes.length} bytes, and so the turn is not kept: make room on it.`,
    );
  }

  /** Makes what is in it outlive a power loss. */
  sync(): Promise<void> {
    return this.#file.datasync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #rest(): Promise<Buffer> {
    const { size } = await this.#file.stat();
    const bytes = Buffer.allocUnsafe(Math.max(0, size - this.#offset));
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await this.#file.read(bytes, length, bytes.length - length, this.#offset + length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  }
}
