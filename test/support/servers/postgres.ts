import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where Debian and others put them, the newest first. */
export function postgresBinaries(): string | undefined {
  const roots = ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt'];
  const candidates = roots.filter(existsSync).flatMap((root) =>
    readdirSync(root)
      .filter((name) => /^(postgresql@)?\d+$/.test(name))
      .sort((a, b) => Number(b.replace(/\D/g, '')) - Number(a.replace(/\D/g, '')))
      .map((name) => join(root, name, 'bin')),
  );
  const onPath = (process.env.PATH ?? '').split(':');
  return [...candidates, ...onPath].find((bin) => existsSync(join(bin, 'initdb')) && existsSync(join(bin, 'postgres')));
}

/** A server refuses root: then it runs as another user. */
interface Runner {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

function runner(): Runner {
  if (process.getuid?.() !== 0) return { uid: undefined, gid: undefined };
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'));
  const [, , uid, gid] = (line ?? 'nobody:x:65534:65534').split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'runfence-postgres-'));
  const { uid, gid } = runner();
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
  return folder;
}

function spawned(binary: string, args: readonly string[], folder: string): ChildProcess {
  const { uid, gid } = runner();
  const as = uid === undefined ? {} : { uid, gid };
  return spawn(binary, args, { ...as, cwd: folder, env: { LC_ALL: 'C' }, stdio: ['ignore', 'ignore', 'ignore'] });
}

/** A folder of data that servers are made of: initdb takes longer than all else. */
export async function makeTemplate(): Promise<string> {
  const binaries = postgresBinaries();
  if (binaries === undefined) throw new Error('Postgres is not installed.');
  const folder = ownFolder();
  const args = ['-D', join(folder, 'data'), '-U', 'postgres', '-A', 'trust', '--no-sync', '--locale=C', '-E', 'UTF8'];
  const initdb = spawned(join(binaries, 'initdb'), args, folder);
  const [code] = await once(initdb, 'exit');
  if (code !== 0) throw new Error(`initdb ended with ${String(code)}`);
  return folder;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** One server of its own, on a free port of this machine. */
export class PostgresServer {
  readonly port: number;
  readonly folder: string;
  readonly #settings: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number, settings: readonly string[]) {
    this.folder = folder;
    this.port = port;
    this.#settings = settings;
  }

  /** @param settings - lines of the configuration, such as `synchronous_commit=off` */
  static async start(template: string, settings: readonly string[] = []): Promise<PostgresServer> {
    const folder = ownFolder();
    await cp(join(template, 'data'), join(folder, 'data'), { recursive: true });
    const { uid, gid } = runner();
    if (uid !== undefined) await run('chown', ['-R', `${uid}:${gid}`, folder]);
    const server = new PostgresServer(folder, await freePort(), settings);
    await server.start();
    return server;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Until it takes connections. */
  async start(): Promise<void> {
    const binaries = postgresBinaries() as string;
    const settings = [
      'fsync=on',
      'max_connections=200',
      'shared_buffers=32MB',
      'log_min_messages=panic',
      ...this.#settings,
    ];
    const args = ['-D', join(this.folder, 'data'), '-p', String(this.port), '-h', '127.0.0.1', '-k', this.folder];
    const child = spawned(
      join(binaries, 'postgres'),
      [...args, ...settings.flatMap((line) => ['-c', line])],
      this.folder,
    );
    this.#process = child;
    for (let turn = 0; !(await this.#answers()); turn++) {
      if (child.exitCode !== null || turn > 600) throw new Error(`Postgres did not start in ${this.folder}.`);
      await sleep(20);
    }
  }

  /**
   * Another one that repeats what this one does, and can take over from it.
   *
   * @param port - where it finds this one
   */
  async standby(port: number): Promise<PostgresServer> {
    const folder = ownFolder();
    const from = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres'];
    const copy = ['-D', join(folder, 'data'), '-R', '--checkpoint=fast', '--no-sync'];
    const basebackup = spawned(join(postgresBinaries() as string, 'pg_basebackup'), [...from, ...copy], folder);
    const [code] = await once(basebackup, 'exit');
    if (code !== 0) throw new Error(`pg_basebackup ended with ${String(code)}`);
    const standby = new PostgresServer(folder, await freePort(), this.#settings);
    await standby.start();
    return standby;
  }

  /** It takes over. */
  async promote(): Promise<void> {
    const promoted = spawned(
      join(postgresBinaries() as string, 'pg_ctl'),
      ['promote', '-D', join(this.folder, 'data')],
      this.folder,
    );
    const [code] = await once(promoted, 'exit');
    if (code !== 0) throw new Error(`pg_ctl promote ended with ${String(code)}`);
  }

  /** With all its processes, as by a loss of power. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** What is under way is cut off, and what is committed is written. */
  async stop(): Promise<void> {
    await this.#end('SIGQUIT');
  }

  /** All its processes stand still, or go on. */
  async pause(isPaused: boolean): Promise<void> {
    const signal = isPaused ? 'SIGSTOP' : 'SIGCONT';
    for (const pid of await this.#pids()) killQuietly(pid, signal);
  }

  async remove(): Promise<void> {
    if (this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null) {
      await this.pause(false);
      await this.kill();
    }
    removeFolder(this.folder);
  }

  async #end(signal: 'SIGKILL' | 'SIGQUIT'): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const pids = await this.#pids();
    const ended = once(child, 'exit');
    for (const pid of signal === 'SIGKILL' ? pids : [child.pid as number]) killQuietly(pid, signal);
    await ended;
    // Its children die of it, and a new server waits for that.
    for (const pid of pids) while (isThere(pid)) await sleep(5);
  }

  async #pids(): Promise<number[]> {
    const own = this.#process?.pid as number;
    const { stdout } = await run('ps', ['-o', 'pid=', '--ppid', String(own)]).catch(() => ({ stdout: '' }));
    return [
      own,
      ...stdout
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 0),
    ];
  }

  /** A server that only starts up refuses whoever asks. */
  async #answers(): Promise<boolean> {
    const socket = createConnection(this.port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      // A startup message for the user postgres: R is a request for authentication, E an error.
      const text = 'user\0postgres\0database\0postgres\0\0';
      const head = Buffer.alloc(8);
      head.writeInt32BE(8 + text.length, 0);
      head.writeInt32BE(196_608, 4);
      socket.write(Buffer.concat([head, Buffer.from(text)]));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      return answer[0] === 'R'.charCodeAt(0);
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }
}

function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

function isThere(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('Z') === false;
  } catch {
    return false;
  }
}
