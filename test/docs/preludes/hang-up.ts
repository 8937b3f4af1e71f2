import { once } from 'node:events';
import { createServer, type ServerResponse as Response } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRunControl } from 'runfence';

const control = createRunControl();
let login = async (_res: Response): Promise<void> => {};
// ---
const server = createServer(async (req, res) => {
  await login(res);
  const outcome = await control.run({ sessionKey: 'chat-1', signal: disconnectSignal(res) }, async (run) => {
    res.write('begun ');
    if (req.url === '/whole') return;
    await new Promise((_, reject) => run.signal.addEventListener('abort', () => reject(run.signal.reason)));
  });
  outcomes.push(outcome.status === 'aborted' ? outcome.reason : outcome.status);
  res.end('ended');
  heard?.();
}).listen(0, '127.0.0.1');
const outcomes: string[] = [];
let heard: (() => void) | undefined;
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
console.assert((await (await fetch(`${url}/whole`)).text()) === 'begun ended');

const untilHeard = (): Promise<void> => new Promise((resolve) => (heard = resolve));
const client = new AbortController();
const [left, begun] = [untilHeard(), await fetch(url, { signal: client.signal })];
client.abort();
await begun.text().catch(() => {});
await left;

const early = new AbortController();
const missed = untilHeard();
login = async (res) => {
  early.abort();
  await once(res, 'close');
};
await fetch(url, { signal: early.signal }).catch(() => {});
await missed;
console.assert(outcomes.join() === 'completed,disconnect,disconnect');
server.close();
server.closeAllConnections();
