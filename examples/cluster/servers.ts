/** A Redis or a Postgres of its own, for whoever has none: on a free port, in a folder that goes with it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface OwnServer {
  readonly url: string;
  close(): Promise<void>;
}

/** The server that the environment names, or one of our own. */
export async function serverFor(kind: string): Promise<OwnServer> {
  const given = kind === 'redis' ? process.env.REDIS_URL : process.env.DATABASE_URL;
  if (given !== undefined) return { url: given, close: async () => {} };
  return kind === 'redis' ? startRedis() : startPostgres();
}

async function startRedis(): Promise<OwnServer> {
  const [port, folder] = [await freePort(), mkdtempSync(join(tmpdir(), 'runfence-redis-'))];
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes'];
  const server = spawn('redis-server', args, { stdio: 'ignore' });
  await listening(server, port, 'Redis: install it (apt-get install redis-server), or set REDIS_URL.');
  return { url: `redis://127.0.0.1:${port}`, close: () => end(server, folder) };
}

async function startPostgres(): Promise<OwnServer> {
  const missing = 'Postgres: install it (apt-get install postgresql), or set DATABASE_URL.';
  const bin = postgresFolder();
  if (bin === undefined) throw new Error(`There is no ${missing}`);
  const [port, folder] = [await freePort(), mkdtempSync(join(tmpdir(), 'runfence-postgres-'))];
  const who = postgresUser();
  if (who !== undefined) chownSync(folder, who.uid, who.gid);
  const options = { ...who, cwd: folder, stdio: 'ignore', env: { LC_ALL: 'C' } } as const;
  const data = join(folder, 'data');
  const made = spawnSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    options,
  );
  if (made.status !== 0) throw new Error(`initdb has failed. ${missing}`);
  const server = spawn(
    join(bin, 'postgres'),
    ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder],
    options,
  );
  await listening(server, port, missing);
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, close: () => end(server, folder, 'SIGQUIT') };
}

function postgresFolder(): string | undefined {
  const root = '/usr/lib/postgresql';
  const debian = existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin')) : [];
  const onPath = (process.env.PATH ?? '').split(':');
  return [...debian.reverse(), ...onPath].find(
    (bin) => existsSync(join(bin, 'initdb')) && existsSync(join(bin, 'postgres')),
  );
}

/** Postgres refuses to run as root. */
function postgresUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
  const [uid, gid] = [id('-u'), id('-g')];
  return uid > 0 ? { uid, gid } : { uid: 65_534, gid: 65_534 };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(server: ChildProcess, port: number, missing: string): Promise<void> {
  let failure: Error | undefined;
  server.once('error', (error) => {
    failure = error;
  });
  for (let tried = 0; tried < 500; tried++) {
    if (failure !== undefined) throw new Error(`There is no ${missing}`, { cause: failure });
    if (server.exitCode !== null) throw new Error(`It ended with ${server.exitCode}. There is no ${missing}`);
    const socket = connect(port, '127.0.0.1');
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await sleep(20);
  }
  throw new Error(`It does not listen. There is no ${missing}`);
}

async function end(server: ChildProcess, folder: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (server.exitCode === null && server.signalCode === null) {
    server.kill(signal);
    await once(server, 'exit');
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
