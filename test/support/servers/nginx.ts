import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './ports.js';

/** Debian keeps it where only root looks. */
const BINARIES: readonly string[] = ['nginx', '/usr/sbin/nginx'];
const START_MS = 20_000;

/** The nginx of this machine; `undefined` if it has none. */
export function nginxBinary(binaries: readonly string[] = BINARIES): string | undefined {
  return binaries.find((binary) => spawnSync(binary, ['-v']).status === 0);
}

/** The one line that is printed where there is none. */
export const NO_NGINX = 'not run: test/node/nginx, for want of nginx (apt-get install nginx-light)';

/** A proxy with nginx's defaults before a server of this host, on a free port, with a folder of its own. */
export class Nginx {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  static async start(upstream: number): Promise<Nginx> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'runfence-nginx-'));
    chmodSync(folder, 0o777);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    );
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; master_process off; pid ${folder}/pid; error_log stderr warn;
events {}
http {
  access_log off; ${temporary.join(' ')}
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${upstream}; } }
}
`,
    );
    const binary = nginxBinary() as string;
    const child = spawn(binary, ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    child.stderr?.on('data', (data: Buffer) => {
      log = (log + data.toString()).slice(-10_000);
    });
    const end = performance.now() + START_MS;
    while (!(await answers(port))) {
      if (child.exitCode !== null || performance.now() > end) throw new Error(`nginx did not start:\n${log}`);
      await sleep(10);
    }
    return new Nginx(port, child, folder);
  }

  private constructor(port: number, child: ChildProcess, folder: string) {
    this.port = port;
    this.#child = child;
    this.#folder = folder;
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
