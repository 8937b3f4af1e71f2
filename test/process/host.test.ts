import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { isRunning } from './witness.js';

/** The pids that a host has started, once it has exited by itself. */
function exited(mode: string): Promise<number[]> {
  const host = fileURLToPath(new URL('fixtures/host.ts', import.meta.url));
  return new Promise((resolve, reject) => {
    const args = ['--import', 'tsx', host, mode];
    execFile(process.execPath, args, { timeout: 50_000 }, (error, text) => {
      if (error === null) resolve([...text.matchAll(/^leaf (\d+)$/gm)].map((match) => Number(match[1])));
      else reject(error);
    });
  });
}

test('a server does not exit before what ignores SIGTERM was killed (G13)', async () => {
  const pids = await exited('killing');
  expect(pids).toHaveLength(2);
  expect(pids.filter(isRunning)).toEqual([]);
});

test('a server exits although a process that it let go still runs', async () => {
  const pids = await exited('letting-go');
  expect(pids).toHaveLength(1);
  expect(pids.filter(isRunning)).toEqual(pids);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await expect.poll(() => pids.filter(isRunning)).toEqual([]);
});
