/**
 * A gateway under load, beside a bare broadcast of the `ws` package: connections that follow sessions, runs that talk, and
 * random stops.
 *
 *     npm run load:gateway -- --connections 1000 --sessions 200 --seconds 20
 *
 * It exits with 1 if an event of a run came after its last one, if a stop was not told, or if something is left.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '1000' },
    sessions: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '20' },
    words: { type: 'string', default: '10' },
    burst: { type: 'string', default: '200' },
  },
});
const [CONNECTIONS, SESSIONS, SECONDS, WORDS, BURST] = [
  values.connections,
  values.sessions,
  values.seconds,
  values.words,
  values.burst,
].map(Number) as [number, number, number, number, number];

const server = fork(fileURLToPath(new URL('server.ts', import.meta.url)), {
  execArgv: [...process.execArgv, '--expose-gc'],
});
const [{ url, bareUrl }] = (await once(server, 'message')) as [{ url: string; bareUrl: string }];
let lastId = 0;

async function ask(command: string, argument = 0): Promise<Record<string, number>> {
  lastId += 1;
  const id = lastId;
  server.send({ id, command, argument });
  for (;;) {
    const [answer] = (await once(server, 'message')) as [{ id: number; answer: Record<string, number> }];
    if (answer.id === id) return answer.answer;
  }
}

const problems: string[] = [];
const latencies: number[] = [];
let deltas = 0;
let words = 0;
/** When each run was asked to stop. */
const stoppedAt = new Map<string, number>();

interface Event {
  readonly type: string;
  readonly id?: string;
  readonly event?: string;
  readonly ok?: boolean;
  readonly payload: { readonly runId: string; readonly state: string; readonly delta?: string };
}

/** A client, by hand: what is measured is the server. */
class Follower {
  readonly socket: WebSocket;
  readonly session: number;
  readonly #over = new Set<string>();
  readonly #asked = new Map<string, (event: Event) => void>();
  #lastId = 0;

  constructor(session: number) {
    this.session = session;
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on('message', (data) => this.#take(JSON.parse(String(data)) as Event));
  }

  async open(): Promise<void> {
    await once(this.socket, 'open');
    await this.ask('connect', { auth: { user: `u${this.session}` } });
    await this.ask('sessions.subscribe', { key: 's' });
  }

  ask(method: string, params: object): Promise<Event> {
    this.#lastId += 1;
    const id = String(this.#lastId);
    this.socket.send(JSON.stringify({ type: 'req', id, method, params }));
    return new Promise((resolve) => this.#asked.set(id, resolve));
  }

  #take(frame: Event): void {
    if (frame.type === 'res') {
      const id = String(frame.id);
      if (frame.ok !== true) problems.push(`refused: ${JSON.stringify(frame)}`);
      this.#asked.get(id)?.(frame);
      this.#asked.delete(id);
      return;
    }
    if (frame.event !== 'chat') return;
    const { runId, state, delta } = frame.payload;
    if (this.#over.has(runId)) problems.push(`an event of ${runId} after its last`);
    if (state === 'delta') {
      deltas += 1;
      words += (delta ?? '').split(' ').length - 1;
      return;
    }
    this.#over.add(runId);
    const asked = stoppedAt.get(runId);
    if (asked !== undefined) latencies.push(performance.now() - asked);
  }
}

const percentile = (of: number): string =>
  `${(latencies[Math.floor((latencies.length - 1) * of)] ?? Number.NaN).toFixed(1)} ms`;
const mb = (bytes: number | undefined): string => `${Math.round((bytes ?? 0) / 1_048_576)} MB`;
const print = (what: string, ...figures: unknown[]): void => console.log(what.padEnd(44), ...figures);
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Until nothing has come for a while. */
async function settled(count: () => number): Promise<number> {
  for (;;) {
    const [seen, at] = [count(), performance.now()];
    await wait(300);
    if (count() === seen) return at;
  }
}

const idle = await ask('left');
const followers = Array.from({ length: CONNECTIONS }, (_, at) => new Follower(at % SESSIONS));
await Promise.all(followers.map((follower) => follower.open()));
const connected = await ask('left');
print(
  'connections, each follows one session',
  connected.connections,
  `${mb((connected.heapUsed ?? 0) - (idle.heapUsed ?? 0))} of heap`,
);

const owners = followers.slice(0, SESSIONS);
const runs: string[] = [];
let keys = 0;
const start = async (at: number): Promise<void> => {
  keys += 1;
  const owner = owners[at] as Follower;
  const sent = await owner.ask('chat.send', { sessionKey: 's', message: 'go', idempotencyKey: `k${keys}` });
  runs[at] = sent.payload.runId;
};
await Promise.all(owners.map((_, at) => start(at)));

await ask('talk', WORDS);
deltas = 0;
let stops = 0;
let expected = 0;
const from = performance.now();
while (performance.now() - from < SECONDS * 1_000) {
  await wait(20);
  const at = Math.floor(Math.random() * SESSIONS);
  const runId = runs[at] as string;
  stops += 1;
  expected += followers.filter(({ session }) => session === at).length;
  stoppedAt.set(runId, performance.now());
  await owners[at]?.ask('chat.abort', { sessionKey: 's' });
  await start(at);
}
const seconds = (performance.now() - from) / 1_000;
const load = await ask('talk', 0);
await settled(() => deltas);
latencies.sort((a, b) => a - b);
print(`${SESSIONS} runs of ${WORDS} words/s, ${stops} random stops`, `${Math.round(deltas / seconds)} events/s`);
print('processor and memory of the server', `${Math.round((load.cpuMs ?? 0) / seconds / 10)} % of one,`, mb(load.rss));
print(
  'stop to the last event, at each client',
  `p50 ${percentile(0.5)}, p99 ${percentile(0.99)}, most ${percentile(1)}`,
);
print('last events told', `${latencies.length} of ${expected}`);
if (latencies.length !== expected) problems.push('a stop was not told to everybody');

deltas = 0;
words = 0;
const burstAt = performance.now();
const burst = await ask('burst', BURST);
const burstMs = (await settled(() => words)) - burstAt;
const total = BURST * CONNECTIONS;
print(
  'as fast as they go out: words',
  `${words} of ${total} in ${Math.round(burstMs)} ms: ${Math.round(words / burstMs)} per ms`,
);
print(
  '  in events',
  deltas,
  `${Math.round((((burst.cpuMs ?? 0) * 1_000) / total) * 10) / 10} us of the server's processor a word`,
);
if (words !== total) problems.push('a word was lost');

await Promise.all(owners.map((owner) => owner.ask('chat.abort', { sessionKey: 's' })));
for (const { socket } of followers) socket.close();

let bareFrames = 0;
const bare = Array.from(
  { length: CONNECTIONS },
  (_, at) => new WebSocket(`${bareUrl}/${at % SESSIONS}`, { perMessageDeflate: false }),
);
for (const socket of bare) {
  socket.on('message', (data) => {
    JSON.parse(String(data));
    bareFrames += 1;
  });
}
await Promise.all(bare.map((socket) => once(socket, 'open')));
const bareAt = performance.now();
const bareUsed = await ask('bareBurst', BURST);
const bareMs = (await settled(() => bareFrames)) - bareAt;
print(
  'a bare broadcast of the same words',
  `${bareFrames} in ${Math.round(bareMs)} ms: ${Math.round(bareFrames / bareMs)} per ms`,
);
print('', `${Math.round((((bareUsed.cpuMs ?? 0) * 1_000) / total) * 10) / 10} us of the server's processor a word`);
for (const socket of bare) socket.close();

// Runs are forgotten after a second.
await wait(2_500);
const left = await ask('left');
print(
  'left at the end',
  `${left.connections} connections, ${left.runs} runs, heap ${mb((left.heapUsed ?? 0) - (idle.heapUsed ?? 0))} above the start`,
);
print('', JSON.stringify(left.usage));
if (left.connections !== 0 || left.runs !== 0 || left.turns !== 0) problems.push('something is left');

server.disconnect();
for (const problem of new Set(problems)) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
