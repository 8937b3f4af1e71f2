import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Run, RunView } from 'runfence';
import { callToolIn, toolRun } from 'runfence/mcp';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { tracked } from '../support/tracked.js';
import { until } from './support.js';

const TOKENS: Readonly<Record<string, string>> = { 'Bearer a': 'ada', 'Bearer b': 'bob' };

/** Work that goes on until its run is stopped. */
function stopped({ signal }: Run): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** A server as the SDK's examples have it: stateless, one transport a request; or with sessions. */
async function httpServer(sessions: boolean) {
  const { control, errors } = tracked();
  const ended: RunView[] = [];
  control.on('run:ended', ({ run }) => ended.push(run));
  const known = new Map<string, StreamableHTTPServerTransport>();
  const connect = async (): Promise<StreamableHTTPServerTransport> => {
    const server = new McpServer({ name: 'server', version: '1' });
    server.registerTool(
      'work',
      { inputSchema: { n: z.number() } },
      toolRun(control, (_args, run) => stopped(run)),
    );
    const transport = new StreamableHTTPServerTransport(
      sessions
        ? { sessionIdGenerator: () => crypto.randomUUID(), onsessioninitialized: (id) => void known.set(id, transport) }
        : {},
    );
    await server.connect(transport as never);
    return transport;
  };
  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const id = req.headers['mcp-session-id'];
    const transport = known.get(String(id)) ?? (await connect());
    const { authorization: token = '' } = req.headers;
    const auth = { token, clientId: 'app', scopes: [], extra: { sub: TOKENS[token] } };
    if (!sessions) res.on('close', () => void transport.close());
    await transport.handleRequest(Object.assign(req, { auth }), res);
  };
  const http: Server = createServer((req, res) => void handle(req, res)).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`);
  const clients: Client[] = [];
  const client = async (authorization: string) => {
    const made = new Client({ name: 'client', version: '1' });
    const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers: { authorization } } });
    await made.connect(transport as never);
    clients.push(made);
    return { client: made, transport };
  };
  return {
    control,
    errors,
    ended,
    client,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((one) => one.close()));
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
    },
  };
}

describe('over HTTP', () => {
  test('a client that goes away from a stateless server stops its run, and no other’s (N8)', async () => {
    await using on = await httpServer(false);
    const [ada, bob] = [await on.client('Bearer a'), await on.client('Bearer b')];
    const calls = [ada, bob].map(({ client }) =>
      client.callTool({ name: 'work', arguments: { n: 1 } }).catch(() => {}),
    );
    await until(() => on.control.runs.list().length === 2);
    expect(on.control.runs.list().map(({ owner }) => owner)).toEqual([{ userId: 'ada' }, { userId: 'bob' }]);
    await ada.client.close();
    await until(() => on.ended.length === 1);
    expect(on.ended).toMatchObject([{ owner: { userId: 'ada' }, reason: 'disconnect' }]);
    await bob.client.close();
    await Promise.all(calls);
    await until(() => on.ended.length === 2);
    expect(on.errors).toEqual([]);
  });

  test('a stop at the client reaches the run of a server with sessions, as does the end of its session', async () => {
    await using on = await httpServer(true);
    const { control } = tracked();
    const { client, transport } = await on.client('Bearer a');
    const begun = control.runs.beginSync({ sessionKey: 's' });
    if (begun.status !== 'started') throw new Error(begun.status);
    const called = callToolIn(begun.run, client, { name: 'work', arguments: { n: 1 } });
    const left = client.callTool({ name: 'work', arguments: { n: 2 } }).catch(() => {});
    await until(() => on.control.runs.list().length === 2);
    const keys = on.control.runs.list().map(({ sessionKey }) => sessionKey);
    expect(keys).toEqual(keys.map(() => expect.stringContaining(transport.sessionId ?? 'none')));
    await control.abort({ runId: begun.run.id });
    await expect(called).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    begun.run.complete();
    await until(() => on.ended.length === 1);
    expect(on.ended).toMatchObject([{ reason: 'upstream' }]);
    await transport.terminateSession();
    await until(() => on.ended.length === 2);
    expect(on.ended[1]).toMatchObject({ reason: 'disconnect' });
    await client.close();
    await left;
  });
});

test('over a pipe a stop reaches the run of the server process, and so does the end of the pipe', async () => {
  const { control } = tracked();
  const client = new Client({ name: 'client', version: '1' });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: ['--import', 'tsx', fileURLToPath(new URL('fixtures/server.ts', import.meta.url))],
    stderr: 'pipe',
  });
  let said = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  await client.connect(transport);
  try {
    const begun = control.runs.beginSync({ sessionKey: 's' });
    if (begun.status !== 'started') throw new Error(begun.status);
    const called = callToolIn(begun.run, client, { name: 'work', arguments: {} });
    await until(() => said.includes('started'));
    await control.abort({ runId: begun.run.id });
    await expect(called).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    begun.run.complete();
    await until(() => said.includes('ended upstream'));
    const left = client.callTool({ name: 'work', arguments: {} }).catch(() => {});
    await until(() => said.match(/started/g)?.length === 2);
    await client.close();
    await left;
    await until(() => said.includes('ended disconnect'));
  } finally {
    await client.close();
  }
});
