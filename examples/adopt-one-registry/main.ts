/** Sends the same requests to both servers, and says what the users see. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAfter } from './after.js';
import { createBefore } from './before.js';
import { type Chats, Database, serve } from './parts.js';

/** One server, and what a client can do with it. */
interface Client {
  readonly database: Database;
  /** The words of an answer arrive at `begun`; `end` is its last line. */
  ask(user: string, text: string): { readonly begun: Promise<unknown>; readonly end: Promise<string> };
  stop(user: string): Promise<string>;
}

async function withServer<T>(create: (database: Database) => Chats, use: (client: Client) => Promise<T>): Promise<T> {
  const database = new Database();
  const server = serve(create(database)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const get = (user: string, path: string): Promise<Response> =>
    fetch(url + path, { headers: { authorization: `Bearer ${user}-token` } });
  const ask: Client['ask'] = (user, text) => {
    const reader = get(user, `/chat?chat=c1&text=${text}`).then(({ body }) =>
      body?.pipeThrough(new TextDecoderStream()).getReader(),
    );
    const first = reader.then((opened) => opened?.read());
    const rest = async (): Promise<string> => {
      let all = (await first)?.value ?? '';
      for (let part = await (await reader)?.read(); part?.done === false; part = await (await reader)?.read()) {
        all += part.value;
      }
      return all.split('\n').at(-1) ?? '';
    };
    return { begun: first, end: rest() };
  };
  const stop = async (user: string): Promise<string> => (await get(user, '/stop?chat=c1')).text();
  try {
    return await use({ database, ask, stop });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const verdict = (end: string): string => (end === '[done]' ? 'went on to its end' : 'stopped');

const scenes: Readonly<Record<string, (client: Client) => Promise<string>>> = {
  'a stop while the history is loaded': async ({ database, ask, stop }) => {
    database.isSlow = true;
    const asked = database.untilAsked();
    const answer = ask('ada', 'hello');
    await asked;
    await stop('ada');
    database.release();
    return verdict(await answer.end);
  },
  'a stop after a newer message': async ({ ask, stop }) => {
    const older = ask('ada', 'older');
    await older.begun;
    const newer = ask('ada', 'newer');
    await Promise.all([newer.begun, older.end]);
    await stop('ada');
    return verdict(await newer.end);
  },
  'a stop by somebody else': async ({ ask, stop }) => {
    const answer = ask('ada', 'hello');
    await answer.begun;
    await stop('eve');
    return verdict(await answer.end);
  },
  'what a stop is told': async ({ ask, stop }) => {
    const answer = ask('ada', 'hello');
    await answer.begun;
    const told = await stop('ada');
    await answer.end;
    return told;
  },
  'the same, of a deaf model': async ({ ask, stop }) => {
    const answer = ask('ada', 'deaf');
    await answer.begun;
    const told = await stop('ada');
    await answer.end;
    return told;
  },
  'what that model still sends': async ({ ask, stop }) => {
    const answer = ask('ada', 'deaf');
    await answer.begun;
    await stop('ada');
    return verdict(await answer.end);
  },
};

const row = (...cells: string[]): string => `${cells[0]?.padEnd(37)}${cells[1]?.padEnd(21)}${cells[2]}`;
console.log(row('', 'before', 'after'));
for (const [name, scene] of Object.entries(scenes)) {
  console.log(row(name, await withServer(createBefore, scene), await withServer(createAfter, scene)));
}
