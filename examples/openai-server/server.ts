/** An agent behind the API of OpenAI: a client changes its `baseURL`, and a stop is a stop. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type OpenAI from 'openai';
import { createRunControl, type RunControl } from 'runfence';
import { createAgentRunner, memoryHistory } from 'runfence/agent';
import { type Authenticated, createHttpHandlers } from 'runfence/http';
import { toNodeListener } from 'runfence/node';
import { openaiAgent } from 'runfence/openai';
import type { Config } from './config.js';

export interface OpenAIServer {
  readonly server: Server;
  readonly control: RunControl;
  readonly url: string;
}

export async function startServer(config: Config, client: OpenAI): Promise<OpenAIServer> {
  const { host, port, model, tokens } = config;
  const control = createRunControl({ onError: console.error });
  const runner = createAgentRunner(control, {
    agent: openaiAgent({ client, model }),
    history: memoryHistory(),
    onError: console.error,
  });
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  const at = (server.address() as AddressInfo).port;
  const handlers = createHttpHandlers(runner, {
    authenticate: (request) => (tokens === undefined ? LOCAL : tokens.get(bearerOf(request))),
    // A page of another site can give the loopback address any name, and needs no token there.
    ...(tokens === undefined && { hosts: ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${at}`) }),
    run: { timeoutMs: 10 * 60_000 },
  });
  server.on('request', toNodeListener(handlers.fetch));
  return { server, control, url: `http://${host.includes(':') ? `[${host}]` : host}:${at}` };
}

const LOCAL: Authenticated = { principal: { userId: 'local' } };

function bearerOf(request: Request): string {
  return /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1] ?? '';
}
