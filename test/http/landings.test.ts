import type { Backend } from 'runfence';
import { memory } from 'runfence/backend';
import { FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { type Script, says } from '../agent/support/scripted.js';
import { checkCompletion } from './support/completion-wire.js';
import { readResponse } from './support/response-wire.js';
import { allEvents } from './support/sse.js';
import { type HttpStage, httpStage } from './support/stage.js';
import { readUi } from './support/ui-wire.js';

/** Something else happens so many turns of the microtask queue after the request, or after the start of its run. */
const TURNS = [...Array.from({ length: 30 }, (_, turn) => turn), 40, 60, 90, 130];
const MARKS = ['the request', 'the start of the run'] as const;
const LANDINGS = MARKS.flatMap((mark) => TURNS.map((turn) => ({ mark, turn })));

const BACKENDS: Readonly<Record<string, () => Backend | undefined>> = {
  'no backend': () => undefined,
  'a backend that answers at once': () => memory(),
  'a backend that answers later': () => new FaultyBackend(),
};

/** Speaks over several turns of the queue, so that a stop finds it in the middle. */
const speaks: Script = async ({ say, run }) => {
  for (const word of ['one ', 'two ', 'three ']) {
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    run.throwIfStale();
    say(word);
  }
};

interface Route {
  readonly path: string;
  readonly body: object;
  /** What is wrong with an answer of 200, and whether it says that it is whole. */
  read(response: Response): Promise<{ readonly problems: readonly string[]; readonly isWhole: boolean }>;
}

const message = { id: 'm1', role: 'user', parts: [{ type: 'text', text: 'hi' }] };
const ROUTES: Readonly<Record<string, Route>> = {
  'a streamed completion': {
    path: '/v1/chat/completions',
    body: { model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true },
    read: async (response) => {
      const { problems, text, run, error } = checkCompletion(await allEvents(response));
      return { problems, isWhole: run === undefined && error === undefined && text === 'one two three ' };
    },
  },
  'a completion in one piece': {
    path: '/v1/chat/completions',
    body: { model: 'm', messages: [{ role: 'user', content: 'hi' }] },
    read: async (response) => {
      const { choices } = (await response.json()) as { choices: [{ message: { content: string } }] };
      return { problems: [], isWhole: choices[0].message.content === 'one two three ' };
    },
  },
  'a streamed response': {
    path: '/v1/responses',
    body: { model: 'm', input: 'hi', stream: true },
    read: async (response) => {
      const { problems, last } = await readResponse(response);
      return { problems, isWhole: last?.status === 'completed' };
    },
  },
  'a chat': {
    path: '/api/chat',
    body: { id: 'k', messages: [message] },
    read: async (response) => {
      const { problems, chunks } = await readUi(response);
      return { problems, isWhole: chunks.at(-1)?.type === 'finish' };
    },
  },
};

function staged(make: () => Backend | undefined, clock: FakeClock): HttpStage {
  const backend = make();
  // One place: what a request leaves behind is in the way of the next one.
  const http = { limits: { runsPerPrincipal: 1 } };
  return httpStage([speaks, says('next')], { http, control: backend === undefined ? {} : { backend }, clock });
}

/** Does something at a landing. With the request, the event loop goes on in between: bodies and digests take turns of it. */
function at({ mark, turn }: (typeof LANDINGS)[number], { control }: HttpStage, act: () => void): void {
  const after = async (turns: number): Promise<void> => {
    for (let done = 0; done < turns; done += 1) await Promise.resolve();
    act();
  };
  if (mark === 'the request') void (turn % 2 === 0 ? after(turn / 2) : settled(after(turn), turn));
  else {
    const remove = control.on('run:started', () => {
      remove();
      void after(turn);
    });
  }
}

/** Bodies, digests and admissions take turns of the event loop besides. */
async function settled<T>(promise: Promise<T>, turns = 20): Promise<T> {
  for (let turn = 0; turn < turns; turn += 1) {
    await new Promise((done) => setImmediate(done));
    await flush();
  }
  return promise;
}

async function nothingIsLeft({ ask, control }: HttpStage): Promise<void> {
  await settled(Promise.resolve());
  expect(control.runs.list()).toEqual([]);
  const next = await settled(ask('POST', '/v1/responses', { model: 'm', input: 'again' }));
  expect(next.status).toBe(200);
  await next.body?.cancel();
}

for (const [backend, make] of Object.entries(BACKENDS)) {
  for (const [what, { path, body, read }] of Object.entries(ROUTES)) {
    describe(`${what}, on ${backend}`, () => {
      test('a client that leaves at any time leaves nothing behind, and its run is stopped or whole (L5)', async () => {
        const found = new Set<unknown>();
        for (const landing of LANDINGS) {
          const stage = staged(make, new FakeClock());
          const ended: unknown[] = [];
          stage.control.on('run:ended', ({ run }) => ended.push(run.reason ?? run.status));
          const gone = new AbortController();
          at(landing, stage, () => gone.abort());
          const response = await stage.ask('POST', path, body, {}, { signal: gone.signal });
          await settled(Promise.resolve());
          await response.body?.cancel().catch(() => {});
          await nothingIsLeft(stage);
          found.add(ended.length === 1 ? 'not begun' : ended[0]);
        }
        expect([...found]).toEqual(expect.arrayContaining(['not begun', 'disconnect', 'completed']));
        expect(found.size).toBe(3);
      });

      test('a stop at any time ends the answer in order, and one that says that it is whole is whole (L2)', async () => {
        const found = new Set<unknown>();
        for (const landing of LANDINGS) {
          const stage = staged(make, new FakeClock());
          const runIds: string[] = [];
          at(landing, stage, () => {
            void stage.control
              .abort({ sessionKey: JSON.stringify(['ada', 'k']) })
              .then((receipt) => runIds.push(...receipt.runIds));
          });
          const response = await stage.ask('POST', path, body, { 'x-session-key': 'k' });
          if (response.status === 200) {
            const { problems, isWhole } = await read(response);
            await settled(Promise.resolve());
            expect(problems).toEqual([]);
            expect(isWhole).toBe(runIds.length === 0);
            found.add(isWhole ? 'whole' : 'stopped');
          } else {
            expect([response.status, response.headers.get('x-should-retry')]).toEqual([499, 'false']);
            found.add('stopped');
          }
          await nothingIsLeft(stage);
        }
        expect([...found].sort()).toEqual(['stopped', 'whole']);
      });
    });
  }
}
