import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChatEvent } from 'runfence/gateway';
import { createGatewayClient, type GatewayClient } from 'runfence/gateway/client';
import { WebSocket } from 'ws';
import { startApp } from './app.js';
import { openModel } from './model.js';

/** Where the scene tells what happens. */
interface Stage {
  scene(title: string): void;
  event(who: string, what: string): void;
  check(held: boolean, claim: string, evidence: string): void;
}

const LIMIT_MS = 20_000;
const TOKENS = '{"alice":{"userId":"alice"},"bob":{"userId":"bob"}}';

/** Two tabs of one user and a stranger, on real WebSockets, while a tree of processes runs. */
export async function gatewayScene(stage: Stage): Promise<void> {
  stage.scene('9  A gateway: two tabs, a stranger, and a stop over a WebSocket');
  const folder = await mkdtemp(join(tmpdir(), 'runfence-gateway-'));
  const model = await openModel({}, 15);
  const app = await startApp({ model, folder, tokens: TOKENS });
  const clients: Tab[] = [];
  const open = (token: string): Tab => {
    const tab = new Tab(app.url, token);
    clients.push(tab);
    return tab;
  };
  try {
    const [alice, second, bob] = [open('alice'), open('alice'), open('bob')];
    for (const tab of [second, bob]) await tab.client.request('sessions.subscribe', { key: 'build' });
    const sent = (await alice.client.request('chat.send', {
      sessionKey: 'build',
      message: 'Start a tree of processes.',
    })) as { runId: string };
    const pids = await until(
      () => alice.pids,
      (found) => found.length === 3,
    );
    stage.event('alice', `chat.send "Start a tree of processes." is acknowledged, and ${pids.length} processes run`);
    const refused = await bob.client.request('chat.abort', { sessionKey: 'build' });
    stage.event('bob', `chat.abort of the same key: aborted: ${refused.aborted}`);

    const stoppedAt = performance.now();
    const stopped = await second.client.request('chat.abort', { sessionKey: 'build' });
    const answeredMs = performance.now() - stoppedAt;
    stage.event('alice', 'chat.abort in the second tab');
    const ends = await Promise.all([alice.end(sent.runId), second.end(sent.runId)]);
    const { receipt } = await alice.client.request('runs.receipt', { runId: sent.runId, waitMs: 10_000 });
    const left = pids.filter(isRunning);
    const next = await alice.client.request('chat.send', { sessionKey: 'build', message: 'hello' });
    const said = await alice.end((next as { runId: string }).runId);

    stage.check(
      refused.runIds.length === 0 && bob.heard.length === 0,
      'a stranger stops nothing, and hears nothing',
      `${bob.heard.length} events`,
    );
    stage.check(
      stopped.runIds[0] === sent.runId,
      'the second tab stops the run of the first',
      `answered after ${Math.round(answeredMs)} ms`,
    );
    stage.check(
      ends.every(({ state }) => state === 'aborted') && [alice, second].every((tab) => tab.endsOf(sent.runId) === 1),
      'both tabs are told once, with the answer so far',
      ends.map((end) => ('text' in end ? `"${end.text?.trim()}"` : 'no text')).join(', '),
    );
    stage.check(
      receipt?.quiet === true && left.length === 0,
      'the receipt says that it is quiet, and the system agrees',
      `${left.length} of ${pids.length} processes left, after ${Math.round(receipt?.elapsedMs ?? 0)} ms`,
    );
    stage.check(said.state === 'final', 'the session goes on', `"${'text' in said ? said.text?.slice(0, 24) : ''}…"`);
    const hasty = await overtaken(app.url);
    stage.check(
      hasty.aborted && !hasty.started,
      'a stop overtakes what was sent before it and had not begun',
      hasty.seen,
    );
  } finally {
    for (const { client } of clients) client.close();
    await app.close();
    await model.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A client, and what it has heard. */
class Tab {
  readonly client: GatewayClient<Record<never, never>>;
  readonly heard: ChatEvent[] = [];
  /** What its tools have started, as they say themselves: `(deaf 4711)`. */
  readonly pids: number[] = [];

  constructor(url: string, token: string) {
    const webSocket = (to: string): WebSocket => new WebSocket(to);
    this.client = createGatewayClient({ url: `${url.replace('http', 'ws')}/ws`, auth: { token }, webSocket });
    this.client.on('chat', (event) => void this.heard.push(event));
    this.client.on('data', ({ name, data }) => {
      if (name !== 'output') return;
      for (const [, pid] of (data as { text: string }).text.matchAll(/\(\w+ (\d+)\)/g)) this.pids.push(Number(pid));
    });
  }

  endsOf(runId: string): number {
    return this.heard.filter((event) => event.runId === runId && event.state !== 'delta').length;
  }

  async end(runId: string): Promise<ChatEvent> {
    const isEnd = (event: ChatEvent): boolean => event.runId === runId && event.state !== 'delta';
    return (
      await until(
        () => this.heard.filter(isEnd),
        (ends) => ends.length > 0,
      )
    )[0] as ChatEvent;
  }
}

/** By hand: a message and a stop behind it, both before the server knows who this is. */
async function overtaken(url: string): Promise<{ aborted: boolean; started: boolean; seen: string }> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
  const frames: { id?: string; error?: { code: string }; event?: string }[] = [];
  socket.on('message', (data) => frames.push(JSON.parse(String(data))));
  await new Promise((resolve) => socket.once('open', resolve));
  const ask = (id: string, method: string, params: object): void =>
    socket.send(JSON.stringify({ type: 'req', id, method, params }));
  ask('1', 'connect', { auth: { token: 'alice' } });
  ask('2', 'chat.send', { sessionKey: 'hasty', message: 'Tell me about canals.', idempotencyKey: 'hasty' });
  ask('3', 'chat.abort', { sessionKey: 'hasty' });
  await until(
    () => frames.filter(({ id }) => id === '2' || id === '3'),
    (answers) => answers.length === 2,
  );
  await sleep(100);
  socket.close();
  const answer = frames.find(({ id }) => id === '2');
  return {
    aborted: answer?.error?.code === 'aborted',
    started: frames.some(({ event }) => event === 'chat'),
    seen: `the message is answered with ${answer?.error?.code ?? 'a run'}`,
  };
}

/** Asks the system, not the library. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie answers as well.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch (error) {
    // There is no such folder on other systems: then the signal says it.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && process.platform !== 'linux';
  }
}

async function until<T>(look: () => T, holds: (seen: T) => boolean): Promise<T> {
  for (const startedAt = performance.now(); performance.now() - startedAt < LIMIT_MS; ) {
    const seen = look();
    if (holds(seen)) return seen;
    await sleep(10);
  }
  throw new Error(`It did not come to that in ${LIMIT_MS} ms.`);
}
