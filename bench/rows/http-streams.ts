import { createRunControl } from 'runfence';
import { type Agent, createAgentRunner } from 'runfence/agent';
import { createHttpHandlers } from 'runfence/http';
import { toNodeListener } from 'runfence/node';
import { cpuTime } from '../harness/compare.js';
import { absolute, percentiles } from '../harness/figure.js';
import { heapUsed } from '../harness/heap.js';
import { serve, textOf } from '../harness/http.js';
import { check, type Row } from '../harness/row.js';

const AT_A_TIME = 200;
/** Below what one process can bear: what is measured is how long a stop takes, and not how long it waits for its turn. */
const TOKEN_MS = 100;
const TOKENS = 40;
const BODY = { model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] };
const SEED = 20_261_130;

/** Numbers from 0 to below 1, the same every time. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A model with a token every `TOKEN_MS`, which ends with its run. */
function agentOf(onToken: () => void): Agent<string> {
  const work: Agent<string>['turn'] = (run, { emit }) => {
    const answer = async () => {
      for (let token = 0; token < TOKENS; token += 1) {
        await pause(TOKEN_MS, run.signal);
        run.throwIfStale();
        if (emit({ type: 'text', text: 'token ' })) onToken();
      }
      return { reason: 'stop' as const };
    };
    return { done: answer(), snapshot: () => [] };
  };
  return { format: 'words', from: () => [], to: () => [], close: (history) => [...history], turn: work };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}

interface Outcome {
  /** From the client's leaving to the quiet of its run, in ms. */
  readonly gone: number[];
  /** From the stop's being sent to the last byte of the stream, in ms. */
  readonly stopped: number[];
  readonly tokens: number;
  readonly cpuNs: number;
  /** Heap in mid-load, for each stream, in bytes. */
  readonly heapEach: number;
  /** Runs that are not over when all clients are. */
  readonly left: number;
}

/** How many of the clients leave or stop their run, and after how many ms at the most. */
interface Ways {
  readonly leave: number;
  readonly stop: number;
  readonly withinMs: number;
}

/** So many clients at a time, each of which asks again and again, and reads to the end, leaves or stops its run, at random. */
async function load(clients: number, requests: number, ways: Ways): Promise<Outcome> {
  const random = randomOf(SEED);
  const control = createRunControl();
  let tokens = 0;
  const onToken = (): void => {
    tokens += 1;
  };
  const runner = createAgentRunner(control, { agent: agentOf(onToken) });
  const handlers = createHttpHandlers(runner, { authenticate: () => ({ principal: { userId: 'ada' } }) });
  const server = await serve(toNodeListener(handlers.fetch));
  const leftAt = new Map<string, number>();
  const gone: number[] = [];
  const stopped: number[] = [];
  control.on('run:quiet', ({ run }) => {
    const at = leftAt.get(run.runId);
    if (at !== undefined) gone.push(performance.now() - at);
  });

  const one = async (): Promise<void> => {
    const { sent, response } = await server.post('/v1/chat/completions', BODY);
    const id = String(response.headers['x-run-id']);
    const way = random();
    const moment = random() * ways.withinMs;
    const reading = textOf(response).catch(() => undefined);
    if (way < ways.leave + ways.stop) await new Promise((resolve) => setTimeout(resolve, moment));
    const at = performance.now();
    if (way < ways.leave) {
      leftAt.set(id, at);
      sent.destroy();
      await reading;
      return;
    }
    const stopping = way < ways.leave + ways.stop ? server.post(`/runs/${id}/abort`, {}, server.kept) : undefined;
    const text = await reading;
    if (stopping !== undefined) stopped.push(performance.now() - at);
    check(text?.endsWith('data: [DONE]\n\n') === true, 'a stream that ends in order');
    if (stopping !== undefined) await textOf((await stopping).response);
  };

  const warm = async (): Promise<void> => {
    await textOf((await server.post('/runs/none/abort', {}, server.kept)).response);
  };
  await Promise.all(Array.from({ length: server.kept.maxSockets }, warm));
  const idle = heapUsed();
  const cpuBefore = cpuTime();
  let asked = 0;
  const client = async (): Promise<void> => {
    while (asked < requests) {
      asked += 1;
      await one();
    }
  };
  const all = Array.from({ length: clients }, client);
  // All of them are in their answers by now.
  await new Promise((resolve) => setTimeout(resolve, (TOKENS * TOKEN_MS) / 2));
  const live = control.runs.list().length;
  const heapEach = (heapUsed() - idle) / Math.max(1, live);
  await Promise.all(all);
  const cpuNs = cpuTime() - cpuBefore;
  // A hang-up is heard a moment after the client has sent it.
  for (let wait = 0; wait < 500 && control.runs.list().length > 0; wait += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const left = control.runs.list().length;
  await server.close();
  await control.drain();
  return { gone, stopped, tokens, cpuNs, heapEach, left };
}

export const row: Row = {
  title: '200 streams at a time over HTTP, with clients that leave and stops at random moments',
  measure: async (bench) => {
    const clients = bench.isQuick ? 20 : AT_A_TIME;
    const storm = await load(clients, clients * (bench.isQuick ? 1 : 5), {
      leave: 0.4,
      stop: 0.4,
      withinMs: TOKENS * TOKEN_MS * 0.9,
    });
    bench.note('one stream at a time');
    const alone = await load(1, bench.isQuick ? 3 : 100, { leave: 0, stop: 1, withinMs: 200 });
    check(storm.gone.length > 0 && storm.stopped.length > 0 && alone.stopped.length > 0, 'clients of each sort');
    return [
      ...percentiles('client gone to quiet', 'ms', storm.gone),
      ...percentiles('POST abort to the last byte, among the others', 'ms', storm.stopped),
      ...percentiles('POST abort to the last byte, alone', 'ms', alone.stopped),
      absolute('processor for each token, requests and clients included', 'us', [storm.cpuNs / storm.tokens / 1e3]),
      absolute('heap of a stream, client included', 'B', [storm.heapEach]),
      absolute('runs left', '', [storm.left + alone.left], { budget: 0 }),
    ];
  },
};
