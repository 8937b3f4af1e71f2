import type { Wire } from './client.js';
import { asError, outOfReach, textOf } from './errors.js';
import { fromJson, toJson } from './json.js';
import { SCRIPT_NAMES, type ScriptName, scriptText } from './lua/index.js';
import { sha1 } from './sha.js';

/** A request that met another server than it was made for has done nothing, and may be sent again for so long, in ms. */
const AGAIN_MS = 1_000;
const MOST_LINES = 3;

/** The server process that answers, in its role, and the names under which it knows the scripts. */
interface Line {
  readonly name: string;
  readonly shas: Readonly<Record<ScriptName, string>>;
}

/** Who sends. */
export interface From {
  /** This process, as the store knows it. */
  readonly beat: string;
  /** Whether several nodes of this process may have to hear of what one of them does. */
  readonly tellsOwn: boolean;
}

/**
 * Sends scripts. Each names the line that it believes in: a server that has taken over refuses it, since what was
 * acknowledged before may be lost. Then the nodes read everything again, and what was refused is sent again if its caller
 * still waits for it: a stop that comes late would hit what was begun after it.
 */
export class Sender {
  readonly #wire: Wire;
  readonly #prefix: string;
  readonly #onNewLine: () => void;
  #line: Line | undefined;
  #adopting: Promise<Line> | undefined;

  /** @param onNewLine - another server has taken over, or this one has lost its data */
  constructor(wire: Wire, prefix: string, onNewLine: () => void) {
    this.#wire = wire;
    this.#prefix = prefix;
    this.#onNewLine = onNewLine;
  }

  /** The line that answered last. */
  get line(): string | undefined {
    return this.#line?.name;
  }

  async send<Answer>(name: ScriptName, from: From, request: object): Promise<Answer> {
    const startedAt = performance.now();
    const json = toJson(request);
    for (let lines = 1; ; lines++) {
      const line = this.#line ?? (await this.#adopt(undefined));
      try {
        const reply = await this.#evaluate(name, line, [from.beat, from.tellsOwn ? '1' : '', json]);
        return fromJson<Answer>(String(reply));
      } catch (error) {
        if (lineIn(error) === undefined) throw asError(error);
        await this.#adopt(line);
        if (performance.now() - startedAt > AGAIN_MS || lines >= MOST_LINES) {
          throw outOfReach(
            'Another Redis server has taken over, and this came too late for it: nothing was done. Try again.',
          );
        }
      }
    }
  }

  async #evaluate(name: ScriptName, line: Line, args: readonly string[]): Promise<unknown> {
    try {
      return await this.#wire.send(['EVALSHA', line.shas[name], '1', this.#prefix, line.name, '', ...args]);
    } catch (error) {
      if (!textOf(error).startsWith('NOSCRIPT')) throw error;
      return this.#wire.send(['EVAL', scriptText(name, line.name), '1', this.#prefix, line.name, '1', ...args]);
    }
  }

  /** Learns which line this is. Those that were refused together ask once. */
  #adopt(refused: Line | undefined): Promise<Line> {
    if (this.#line !== undefined && this.#line !== refused) return Promise.resolve(this.#line);
    this.#adopting ??= this.#ask()
      .then((line) => {
        this.#line = line;
        if (refused !== undefined) this.#onNewLine();
        return line;
      })
      .finally(() => {
        this.#adopting = undefined;
      });
    return this.#adopting;
  }

  async #ask(): Promise<Line> {
    try {
      await this.#wire.send(['EVAL', scriptText('readProcesses', '?'), '1', this.#prefix, '?', '1', '', '', '{}']);
    } catch (error) {
      const name = lineIn(error);
      if (name === undefined || name === '') throw asError(error);
      return lineOf(name);
    }
    throw outOfReach('Redis did not say which server it is.');
  }
}

function lineIn(error: unknown): string | undefined {
  return /^RFLINE (\S*)/.exec(textOf(error))?.[1];
}

async function lineOf(name: string): Promise<Line> {
  const shas = SCRIPT_NAMES.map(async (script) => [script, await sha1(scriptText(script, name))] as const);
  return { name, shas: Object.fromEntries(await Promise.all(shas)) as Record<ScriptName, string> };
}
