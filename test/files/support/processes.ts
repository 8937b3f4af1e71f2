import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { gate } from '../../support/work.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const outdir = `${root}.cache/test-files-${process.pid}`;
const running = new Set<ChildProcess>();
const built = new Map<string, Promise<string>>();

/** What a fixture's process says, a line of JSON each. */
export interface Said {
  readonly what: string;
  readonly [name: string]: unknown;
}

/** A process that runs a fixture of `test/files/fixtures` on the sources. */
export class Other {
  readonly #child: ChildProcess;
  readonly #said: Said[] = [];
  readonly #waiting: { readonly isMeant: (said: Said) => boolean; readonly found: (said: Said) => void }[] = [];
  readonly #ended = gate();
  stderr = '';

  /** Started, and ready for orders. */
  static async start(fixture: string, options: object, { args = [] }: { args?: string[] } = {}): Promise<Other> {
    const other = new Other(await bundled(fixture), options, args);
    await other.says('ready');
    return other;
  }

  private constructor(file: string, options: object, args: string[]) {
    const child = spawn(process.execPath, [...args, file, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    running.add(child);
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(JSON.parse(line) as Said));
    child.stderr.on('data', (data: Buffer) => {
      this.stderr += data.toString();
    });
    child.stdin.on('error', () => {});
    child.once('exit', () => {
      running.delete(child);
      this.#ended.open();
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Everything it has said. */
  get said(): readonly Said[] {
    return this.#said;
  }

  /** Tells it to do something. */
  do(order: string, args: object = {}): void {
    this.#child.stdin?.write(`${JSON.stringify({ order, ...args })}\n`);
  }

  /** Tells it to do something, and waits until it says that it has. */
  async ask(order: string, args: object = {}): Promise<Said> {
    const id = `${order}-${this.#said.length}-${Math.random()}`;
    const answer = this.says('answer', (said) => said.id === id);
    this.do(order, { ...args, id });
    const said = await answer;
    if (said.error !== undefined) throw new Error(`${order}: ${String(said.error)}`);
    return said;
  }

  /** As `ask`, for a process that has a backend and no control: what it is answered. */
  async call<Answer>(method: string, request: object): Promise<Answer> {
    return (await this.ask(method, { request })).answer as Answer;
  }

  /** Waits until it says something, from now on or already. */
  async says(what: string, isMeant: (said: Said) => boolean = () => true, timeoutMs = 30_000): Promise<Said> {
    const matches = (said: Said): boolean => said.what === what && isMeant(said);
    const already = this.#said.find(matches);
    if (already !== undefined) return already;
    return new Promise((resolve, reject) => {
      const end = (error: string): void => reject(new Error(`It did not say "${what}": ${error}\n${this.stderr}`));
      const timer = setTimeout(() => end(`in ${timeoutMs} ms`), timeoutMs);
      this.#waiting.push({
        isMeant: matches,
        found: (said) => {
          clearTimeout(timer);
          resolve(said);
        },
      });
      void this.#ended.promise.then(() => {
        clearTimeout(timer);
        end('it ended');
      });
    });
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM' | 'SIGINT'): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
  }

  /** Ends it as a server ends: what it has is drained first. */
  async end(order = 'end'): Promise<number | null> {
    this.do(order);
    await this.#ended.promise;
    return this.#child.exitCode;
  }

  async ended(): Promise<number | null> {
    await this.#ended.promise;
    return this.#child.exitCode;
  }

  #hear(said: Said): void {
    this.#said.push(said);
    for (const waiting of [...this.#waiting]) {
      if (!waiting.isMeant(said)) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.found(said);
    }
  }
}

/** Processes that the test has left, by pid; they are killed. */
export function processesLeft(): string[] {
  const left = [...running].map(({ pid }) => `process ${pid}`);
  for (const child of running) child.kill('SIGKILL');
  running.clear();
  return left;
}

/** One file that plain node runs: with a loader each process would take a second to start. */
export function bundled(fixture: string): Promise<string> {
  let file = built.get(fixture);
  if (file === undefined) {
    file = bundle(fixture);
    built.set(fixture, file);
  }
  return file;
}

export function removeBundles(): void {
  built.clear();
  rmSync(outdir, { recursive: true, force: true });
}

async function bundle(fixture: string): Promise<string> {
  mkdirSync(outdir, { recursive: true });
  const outfile = `${outdir}/${fixture}.mjs`;
  await build({
    absWorkingDir: root,
    entryPoints: [`test/files/fixtures/${fixture}.ts`],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    alias: {
      runfence: './src/index.ts',
      'runfence/agent': './src/agent/index.ts',
      'runfence/agent/files': './src/agent/files/index.ts',
      'runfence/ai': './src/ai/index.ts',
      'runfence/backend': './src/backend/index.ts',
      'runfence/files': './src/files/index.ts',
      'runfence/langgraph': './src/langgraph/index.ts',
      'runfence/postgres': './src/postgres/index.ts',
      'runfence/openai': './src/openai/index.ts',
      'runfence/openai-agents': './src/openai-agents/index.ts',
      'runfence/redis': './src/redis/index.ts',
      'runfence/streams': './src/streams/index.ts',
      'runfence/testing': './src/testing/index.ts',
    },
    packages: 'external',
    logLevel: 'silent',
  });
  return outfile;
}
