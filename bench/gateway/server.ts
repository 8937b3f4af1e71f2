/** The server's side of the load: a process of its own, so that its time and memory are its own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRunControl } from 'runfence';
import { type Agent, createAgentRunner, type TurnInput } from 'runfence/agent';
import { createGateway } from 'runfence/gateway';
import { attachGateway } from 'runfence/ws';
import { type WebSocket, WebSocketServer } from 'ws';

/** What a turn says is said by the load: all turns that go on are here. */
const turns = new Set<TurnInput<string>['emit']>();

const agent: Agent<string> = {
  format: 'load',
  from: () => ['said'],
  to: (messages) => messages.map((content) => ({ role: 'assistant', content })),
  close: (history) => [...history],
  turn(run, { emit }) {
    turns.add(emit);
    const done = new Promise<never>((_, reject) => {
      const stop = (): void => {
        turns.delete(emit);
        reject(run.signal.reason);
      };
      if (run.signal.aborted) stop();
      else run.signal.addEventListener('abort', stop, { once: true });
    });
    return { done, snapshot: () => ['said'] };
  },
};

const control = createRunControl({ retention: { ttlMs: 1_000 }, onError: (error) => console.error(error) });
const runner = createAgentRunner(control, { agent, streams: { totalBytes: 1 << 30 } });
const gateway = createGateway(runner, {
  authenticate: ({ auth }) => ({ principal: { userId: String((auth as { user: unknown }).user) } }),
});
const server = createServer();
attachGateway(server, gateway);

/** The peer: the same text to the same sockets, and nothing else. */
const bare = createServer();
const groups = new Map<string, WebSocket[]>();
new WebSocketServer({ server: bare }).on('connection', (socket, { url = '' }) => {
  const group = groups.get(url) ?? [];
  groups.set(url, [...group, socket]);
  socket.on('error', () => {});
});

for (const one of [server, bare]) await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));

const WORDS = Array.from({ length: 100 }, (_, at) => ` tok${at}`);
const wordOf = (round: number): string => WORDS[round % 100] as string;
const turnOfLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
let timer: NodeJS.Timeout | undefined;

/** What the process has taken since the last call. */
let before = process.cpuUsage();
function used(): object {
  const { user, system } = process.cpuUsage(before);
  before = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return { cpuMs: Math.round((user + system) / 1_000), rss, heapUsed };
}

const commands: Record<string, (argument: number) => unknown> = {
  /** So many words a second from each turn. */
  talk: (perSecond) => {
    clearInterval(timer);
    let round = 0;
    if (perSecond > 0) {
      timer = setInterval(() => {
        round += 1;
        for (const emit of turns) emit({ type: 'text', text: wordOf(round) });
      }, 1_000 / perSecond);
    }
    return used();
  },
  /** So many words of each turn, as fast as they go out. */
  burst: async (rounds) => {
    used();
    for (let round = 0; round < rounds; round += 1) {
      for (const emit of turns) emit({ type: 'text', text: wordOf(round) });
      await turnOfLoop();
    }
    return used();
  },
  bareBurst: async (rounds) => {
    used();
    for (let round = 0; round < rounds; round += 1) {
      for (const [key, sockets] of groups) {
        const payload = {
          runId: 'r'.repeat(43),
          sessionKey: key,
          kind: 'chat',
          generation: 1,
          seq: round,
          state: 'delta',
          delta: wordOf(round),
        };
        const frame = JSON.stringify({ type: 'event', event: 'chat', seq: round, payload });
        for (const socket of sockets) socket.send(frame);
      }
      await turnOfLoop();
    }
    return used();
  },
  used,
  left: async () => {
    (globalThis as { gc?: () => void }).gc?.();
    return {
      connections: gateway.connections,
      runs: control.runs.list().length,
      turns: turns.size,
      usage: runner.streams.usage,
      ...used(),
    };
  },
};

process.on('message', ({ id, command, argument }: { id: number; command: string; argument: number }) => {
  void Promise.resolve(commands[command]?.(argument)).then((answer) => process.send?.({ id, answer }));
});
process.send?.({
  url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`,
  bareUrl: `ws://127.0.0.1:${(bare.address() as AddressInfo).port}`,
});
process.once('disconnect', () => process.exit(0));
