import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, expect, test } from 'vitest';
import { bundled, removeBundles } from '../support/processes.js';
import { later, nodeOn, ownServer, report, until, witness } from '../support/stage.js';

afterAll(removeBundles);

test('a process that is paused between its fence and its commit holds up the next one for seconds, and writes nothing then', async () => {
  const server = await ownServer();
  const pool = witness(server);
  await pool.query('create table runfence.notes (text text)');
  const child = await started(server.url);
  const said: string[] = [];
  child.on('message', (what) => said.push(String(what)));
  await until('it has fenced', () => said.includes('fenced'));
  child.kill('SIGSTOP');
  const start = performance.now();
  const there = nodeOn(server.port);
  // A stop does not wait for it.
  const receipt = await there.control.abort({ sessionKey: 'session' });
  expect([receipt.result, receipt.recorded]).toEqual(['aborted', 'cluster']);
  const stoppedMs = performance.now() - start;
  const grant = await there.control.locks.acquire('session');
  const ms = performance.now() - start;
  const write = there.backend.transaction(grant, async (client) => {
    await (client as { query(text: string): Promise<unknown> }).query("insert into runfence.notes values ('next')");
  });
  await write;
  child.send('go on');
  child.kill('SIGCONT');
  await until('it goes on', () => said.length >= 3);
  expect(said.slice(0, 3)).toEqual(['fenced', 'refused', 'user']);
  expect((await pool.query('select text from runfence.notes')).rows).toEqual([{ text: 'next' }]);
  grant.release();
  report(
    'SIGSTOP between fence and commit',
    `a stop waited ${Math.round(stoppedMs)} ms, the next holder until the server ended the transaction`,
    ms,
  );
});

async function started(url: string): Promise<ChildProcess> {
  const child = fork(await bundled('paused'), [url, 'runfence'], { execArgv: [] });
  later(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return child;
}
