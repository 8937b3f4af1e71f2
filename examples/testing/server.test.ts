import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { RunAbortedError, type RunControl, type RunControlOptions, RunfenceError } from 'runfence';
import { expectQuiet, FakeClock, FaultyBackend } from 'runfence/testing';
import { afterEach, expect, test } from 'vitest';
import { type ChatServer, createChatServer, type Message, type Model, type Store, type Turn } from './server.js';

const opened: { control: RunControl; close: () => Promise<void> }[] = [];

// After every test, whatever it did: nothing may be left of its server.
afterEach(async () => {
  for (const { control, close } of opened.splice(0)) {
    await expectQuiet(control);
    await close();
  }
});

function chatServer(model: Model, options: RunControlOptions = {}, store = memoryStore()): ChatServer {
  const app = createChatServer(model, store, options);
  opened.push({ control: app.control, close: async () => void (await app.control.drain({ graceMs: 0 })) });
  return app;
}

function memoryStore(): Store {
  const turns = new Map<string, Turn & { readonly chat: string }>();
  return {
    read: async (chat) => [...turns.values()].filter((turn) => turn.chat === chat),
    save: async (chat, turn) => void turns.set(turn.id, { ...turn, chat }),
  };
}

let messages = 0;
const message = (text: string): Message => ({ id: `m${++messages}`, text });

/** Two words, and then nothing until it is stopped. */
const stuck: Model = async function* (_history, text, signal) {
  yield `${text} `;
  yield 'and ';
  await new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  yield 'never';
};

/** Answers `stuck` as `stuck` does, and everything else at once. */
const mixed: Model = async function* (history, text, signal) {
  if (text === 'stuck') yield* stuck(history, text, signal);
  else yield text;
};

/** A promise that the test waits for, and the function that settles it. */
function moment(): { readonly reached: Promise<void>; readonly reach: () => void } {
  let reach!: () => void;
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  return { reached, reach };
}

test('a stop in mid-stream: over a real socket', async () => {
  const { server, control } = chatServer(stuck);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const chat = await fetch(`${url}/chat?chat=c1&id=m1&text=Hello`);
    const reader = chat.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.endsWith('and ')) text += (await reader?.read())?.value ?? '';
    const stop = await fetch(`${url}/stop?chat=c1`);
    expect(await stop.json()).toEqual({ result: 'aborted', quiet: true });
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) text += part.value;
    expect(text).toBe('Hello and [stopped: user]');
    expect(control.runs.session(['chat', 'c1']).hasActiveRun).toBe(false);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a timeout: the clock is moved, nobody waits for a minute', async () => {
  const clock = new FakeClock();
  const { answer } = chatServer(stuck, { clock });
  const shown: string[] = [];
  const outcome = answer('c1', message('Hello'), (part) => shown.push(part));
  await clock.advance(59_999);
  expect(shown).toEqual(['Hello ', 'and ']);
  await clock.advance(1);
  expect(await outcome).toMatchObject({ status: 'aborted', reason: 'timeout' });
  expect(shown).toEqual(['Hello ', 'and ']);
});

test('a takeover: the older answer is silent, even if its model ignores the signal', async () => {
  const answering = moment();
  const goOn = moment();
  const deaf: Model = async function* (_history, text) {
    yield `${text} `;
    if (text === 'older') await goOn.reached;
    yield 'done';
  };
  const { answer, control } = chatServer(deaf, { clock: new FakeClock() });
  const shown: string[] = [];
  const older = answer('c1', message('older'), (part) => {
    shown.push(part);
    answering.reach();
  });
  await answering.reached;
  const newer = await answer('c1', message('newer'), (part) => shown.push(part));
  goOn.reach();
  await expectQuiet(control); // the model has said its last word by then
  expect(newer.status).toBe('completed');
  expect(await older).toMatchObject({ status: 'aborted', reason: 'superseded' });
  expect(shown).toEqual(['older ', 'newer ', 'done']);
});

test('a stop: what was said is saved, and the next message is answered with it in mind', async () => {
  const store = memoryStore();
  const known: (readonly Turn[])[] = [];
  const model: Model = (history, text, signal) => {
    known.push(history);
    return mixed(history, text, signal);
  };
  const { answer, control } = chatServer(model, { clock: new FakeClock() }, store);
  const answering = moment();
  const stopped = answer('c1', message('stuck'), (part) => part === 'and ' && answering.reach());
  await answering.reached;
  await control.abort({ sessionKey: ['chat', 'c1'] });
  expect((await stopped).status).toBe('aborted');
  await answer('c1', message('hello'), () => {});
  expect(known[1]).toMatchObject([{ user: 'stuck', answer: 'stuck and ' }]);
  expect((await store.read('c1')).map((turn) => turn.answer)).toEqual(['stuck and ', 'hello']);
});

test('a connection that broke: the message is sent again with its id, and answered once', async () => {
  const store = memoryStore();
  const { answer } = chatServer(mixed, { clock: new FakeClock() }, store);
  const connection = new AbortController();
  const sent = message('hello');
  const broken = answer('c1', sent, () => connection.abort(new RunAbortedError('disconnect')), connection.signal);
  expect(await broken).toMatchObject({ status: 'aborted', reason: 'disconnect' });
  expect((await answer('c1', sent, () => {})).status).toBe('completed');
  expect((await answer('c1', sent, () => {})).status).toBe('duplicate');
  expect(await store.read('c1')).toMatchObject([{ user: 'hello', answer: 'hello' }]);
});

test('a backend that is down: nothing starts, and what runs can still be stopped', async () => {
  const backend = new FaultyBackend();
  const clock = new FakeClock();
  const { answer, control } = chatServer(mixed, { backend, clock });
  const answering = moment();
  const running = answer('c1', message('stuck'), answering.reach);
  await answering.reached;
  backend.isDown = true;
  await expect(answer('c2', message('hello'), () => {})).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  const receipt = await control.abort({ sessionKey: ['chat', 'c1'] });
  expect(receipt).toMatchObject({ result: 'aborted', recorded: 'unreachable' });
  expect(await running).toMatchObject({ status: 'aborted', reason: 'user' });
  backend.heal();
  await clock.advance(1_000); // what the backend did not take is sent again
  expect((await answer('c1', message('hello again'), () => {})).status).toBe('completed');
});

test('a leak is named', async () => {
  const { answer, control } = chatServer(stuck);
  const answering = moment();
  const left = answer('c1', message('Hello'), answering.reach);
  await answering.reached;
  const error = await expectQuiet(control, { timeoutMs: 0 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RunfenceError);
  expect((error as Error).message).toMatch(/run ".+" of session ".+" is running; left: work/);
  await control.abort({ sessionKey: ['chat', 'c1'] });
  await left;
});
