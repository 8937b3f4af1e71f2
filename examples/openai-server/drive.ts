/** Drives a server with real clients, and says what they see: the examples of hosts print the same lines. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import type { RunControl } from 'runfence';
import { Hold, startModelServer } from 'runfence/testing';

/** A server that listens, or is about to. */
export interface Started {
  readonly server: Server;
  /** Where the endpoints begin, such as `/agent`. */
  readonly basePath: string;
  readonly control: RunControl;
}

export async function drive(
  start: (client: OpenAI, model: string) => Started | Promise<Started>,
  print: (line: string) => void = console.log,
): Promise<void> {
  await using model = await startModelServer(({ messages }) =>
    messages.at(-1)?.content === 'hello' ? 'Hello there!' : ['Once', new Hold()],
  );
  const started = await start(new OpenAI({ baseURL: model.baseURL, apiKey: 'any' }), 'scripted');
  const { server, basePath, control } = started;
  if (!server.listening) await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${basePath}`;
  const as = (user: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey: `${user}-token`, maxRetries: 0 });
  const ask = (content: string) => ({ model: 'any', messages: [{ role: 'user' as const, content }] });
  const headers = (user: string) => ({ authorization: `Bearer ${user}-token`, 'content-type': 'application/json' });
  const stop = async (user: string): Promise<unknown> => {
    const init = { method: 'POST', headers: headers(user), body: JSON.stringify({ waitMs: 5_000 }) };
    return ((await (await fetch(`${url}/sessions/c1/abort`, init)).json()) as { result: unknown }).result;
  };
  const ada = as('ada');

  const whole = await ada.chat.completions.create(ask('hello'));
  print(`in one piece           ${whole.choices[0]?.message.content}`);
  print(`as a stream            ${await ada.chat.completions.stream(ask('hello')).finalContent()}`);

  const session = { headers: { 'x-session-key': 'c1' } };
  const stopped = await ada.chat.completions.create({ ...ask('a tale'), stream: true }, session);
  let last: unknown;
  for await (const chunk of stopped) {
    last = { ...chunk.choices[0], ...(chunk as { x_run?: object }).x_run };
    if (!chunk.choices[0]?.delta.content) continue;
    print(`a stranger stops it    ${await stop('eve')}`);
    print(`the owner stops it     ${await stop('ada')}`);
  }
  const { finish_reason, status, reason } = last as Record<string, unknown>;
  print(`the stream ends with   ${finish_reason}, ${status}, ${reason}`);

  const left = new Promise((resolve) => control.on('run:quiet', ({ run }) => resolve(run.reason)));
  for await (const chunk of await ada.chat.completions.create({ ...ask('a tale'), stream: true })) {
    if (chunk.choices[0]?.delta.content) break; // hangs up
  }
  const reasonOfEnd = await left;
  await model.requests.at(-1)?.whenEnded;
  print(`a client hangs up      ${reasonOfEnd}; the model's request too: ${model.requests.at(-1)?.isHungUp}`);

  const error = (caught: { status?: number; code?: unknown }) => `${caught.status} ${caught.code}`;
  print(`nobody is logged in    ${await as('nobody').chat.completions.create(ask('hello')).catch(error)}`);
  await control.drain({ graceMs: 0 });
  print(`while it shuts down    ${await ada.chat.completions.create(ask('hello')).catch(error)}`);
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
