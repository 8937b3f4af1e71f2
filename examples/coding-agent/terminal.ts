import { clearLine, createInterface, cursorTo, type Interface } from 'node:readline';
import type { Chat } from './chat.js';

/** After so many ms an Escape is a key of its own, and not the beginning of another one's code. */
const ESCAPE_MS = 50;

/** The terminal: lines come out above the one that is being typed, and keys go in. */
export class Terminal {
  readonly #lines: Interface;

  constructor() {
    this.#lines = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      prompt: '> ',
      escapeCodeTimeout: ESCAPE_MS,
    });
  }

  show(line: string): void {
    cursorTo(process.stdout, 0);
    clearLine(process.stdout, 0);
    process.stdout.write(`${line}\n`);
    this.#lines.prompt(true);
  }

  /** Until Ctrl-D, or Ctrl-C while nothing is under way. */
  serve(chat: Chat): Promise<void> {
    this.show('Enter sends. During a turn a line steers it, "! ..." takes over, Esc or Ctrl-C stops. Ctrl-D ends.');
    const failed = (error: unknown): void => this.show(`[${String(error)}]`);
    const stop = (): boolean => {
      if (!chat.isBusy && !chat.isStopping) return false;
      chat.stop().catch(failed);
      return true;
    };
    process.stdin.on('keypress', (_text: string, key: { readonly name?: string }) => {
      if (key.name === 'escape') stop();
    });
    this.#lines.on('line', (line) => {
      if (line.trim() !== '') chat.line(line.trim()).catch(failed);
      this.#lines.prompt();
    });
    return new Promise((resolve) => {
      this.#lines.on('SIGINT', () => stop() || this.#lines.close());
      this.#lines.on('close', resolve);
    });
  }
}
