/** Witnesses: they sit where the effects land and write down what really happened there, whatever the library says. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Tool } from '../tools.js';
import { type Entry, Transcript } from '../transcript.js';
import type { Gate } from './gate.js';

/** How long a write takes. */
export const STORE_MS = 10;

export interface Save {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly chat: string;
  readonly token: number;
  readonly entries: readonly Entry[];
  readonly refused: boolean;
}

/** The store, slow as a database, with a book of every attempt to write. */
export class WitnessedTranscript extends Transcript {
  readonly saves: Save[] = [];
  readonly #onSave: (save: Save) => void;
  #gate: Gate | undefined;

  constructor(onSave: (save: Save) => void) {
    super();
    this.#onSave = onSave;
  }

  /** The next write begins, and is held at this gate. */
  holdNext(gate: Gate): void {
    this.#gate = gate;
  }

  /** How often a write began before the one before it had ended, or with a token that is not above it. */
  overlaps(): number {
    const byStart = this.saves.toSorted((a, b) => a.startedAt - b.startedAt);
    const before = new Map<string, Save>();
    let count = 0;
    for (const save of byStart) {
      const last = before.get(save.chat);
      if (last !== undefined && (save.startedAt < last.endedAt || save.token <= last.token)) count++;
      before.set(save.chat, save);
    }
    return count;
  }

  override async save(chat: string, token: number, ...entries: readonly Entry[]): Promise<void> {
    const startedAt = performance.now();
    const copies = entries.map((entry) => ({ ...entry }));
    const gate = this.#gate;
    this.#gate = undefined;
    let refused = true;
    try {
      await gate?.pass();
      await sleep(STORE_MS);
      await super.save(chat, token, ...copies);
      refused = false;
    } finally {
      const save = { startedAt, endedAt: performance.now(), chat, token, entries: copies, refused };
      this.saves.push(save);
      this.#onSave(save);
    }
  }
}

/** One call of a tool that really began. */
export interface ToolUse {
  readonly name: string;
  readonly startedAt: number;
  readonly said: number[];
  saveFailed: string | undefined;
  endedAt: number | undefined;
}

/** The tools, each with a book of its calls. What one wants to store is held at `beforeSave`. */
export function witnessTools(
  tools: Readonly<Record<string, Tool>>,
  uses: ToolUse[],
  beforeSave: Gate,
  onEvent: (what: string) => void,
): Readonly<Record<string, Tool>> {
  const witnessed = Object.entries(tools).map(([name, tool]): [string, Tool] => {
    const execute: Tool['execute'] = async (input, context) => {
      const startedAt = performance.now();
      const use: ToolUse = { name, startedAt, said: [], saveFailed: undefined, endedAt: undefined };
      uses.push(use);
      onEvent(`${name} started`);
      try {
        return await tool.execute(input, {
          ...context,
          say(text) {
            use.said.push(performance.now());
            context.say(text);
          },
          async save(id, text) {
            await beforeSave.pass();
            await context.save(id, text).catch((error: unknown) => {
              use.saveFailed = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
              throw error;
            });
          },
        });
      } finally {
        use.endedAt = performance.now();
        onEvent(`${name} ended`);
      }
    };
    return [name, { ...tool, execute }];
  });
  return Object.fromEntries(witnessed);
}
