import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { join } from 'node:path';
import { createRunControl, type RunControl } from 'runfence';
import { createAgentRunner } from 'runfence/agent';
import { fileHistory } from 'runfence/agent/files';
import { createGateway, type Gateway, gatewayMethod } from 'runfence/gateway';
import { createHttpHandlers } from 'runfence/http';
import { gracefulShutdown, toNodeListener } from 'runfence/node';
import { type OpenAITool, openaiAgent } from 'runfence/openai';
import { attachGateway } from 'runfence/ws';
import { Conversations } from './conversations.js';
import { type Logins, localUser, readLogins, tokenOf } from './logins.js';
import type { Model } from './model.js';
import { servePage } from './page.js';
import { Sights } from './sights.js';
import { createTools } from './tools.js';
import { Workspaces } from './workspace.js';

export interface AppOptions {
  readonly model: Model;
  /** Where sessions and workspaces are kept. */
  readonly folder: string;
  readonly port?: number;
  /** Loopback by default. Anything else needs tokens. */
  readonly host?: string;
  /** `GATEWAY_TOKENS`. */
  readonly tokens?: string | undefined;
  /** What the agent can do beside `tools.ts`. */
  readonly tools?: readonly OpenAITool[];
  /** The file of the client that the page loads; by default that of the package. */
  readonly client?: string;
  readonly onError?: (error: unknown) => void;
}

export interface App {
  readonly server: Server;
  readonly control: RunControl;
  readonly gateway: Gateway;
  readonly url: string;
  /** Lets nobody new in, stops what still runs, and closes once every client was told. */
  close(): Promise<void>;
}

const SYSTEM = 'You are a helpful assistant with a workspace of files. Be brief.';

/** A gateway, the handlers of HTTP and the page on one port, over the same runs. */
export async function startApp(options: AppOptions): Promise<App> {
  const {
    model,
    folder,
    port = 0,
    host = '127.0.0.1',
    tokens,
    tools: more = [],
    client,
    onError = console.error,
  } = options;
  const logins = loginsFor(host, tokens);
  // What is said is saved on a disk, which may be busy.
  const control = createRunControl({ onError, defaults: { graceMs: 3_000, epilogueMs: 10_000 } });
  const workspaces = new Workspaces(join(folder, 'workspaces'));
  const sights = new Sights(control);
  const tools = [...createTools(workspaces), ...more].map((tool) => sights.tool(tool));
  const runner = createAgentRunner(control, {
    agent: sights.agent(openaiAgent({ client: model.client, model: model.name, system: SYSTEM, tools })),
    history: fileHistory({ dir: join(folder, 'sessions') }),
  });

  const conversations = await Conversations.open(join(folder, 'conversations.jsonl'), control);

  const server = createServer();
  // It is begun by `close`, since the gateway has a last word between the runs' end and that of the connections.
  const shutdown = gracefulShutdown(control, server, { graceMs: 0, signals: [] });
  server.listen(port, host);
  await once(server, 'listening');
  const hosts = isLoopback(host) ? namesOf((server.address() as AddressInfo).port) : undefined;

  const gateway = createGateway(runner, {
    authenticate: ({ headers, auth }) => logins(tokenOf(headers, auth)),
    stored: ({ principal, admin }) => conversations.list(admin === true ? undefined : principal.userId),
    methods: { 'runs.timeline': sights.method, me: whoami },
  });
  const attached = attachGateway(server, gateway, hosts === undefined ? {} : { hosts });
  const handlers = createHttpHandlers(runner, {
    authenticate: ({ headers }) => logins(tokenOf(headers)),
    ...(hosts === undefined ? {} : { hosts }),
    // A page that is loaded again resumes: the last viewer over all transports decides about the rest.
    whenUnwatched: 'abort',
  });
  const listener = toNodeListener(handlers.fetch, { onError });
  server.on('request', (req, res) => {
    const path = new URL(req.url ?? '/', 'http://localhost').pathname;
    const isPage = req.method === 'GET' ? servePage(path, res, client) : Promise.resolve(false);
    isPage
      .then((served) => {
        if (!served) listener(req, res);
      })
      .catch((error: unknown) => {
        onError(error);
        res.destroy();
      });
  });

  return {
    server,
    control,
    gateway,
    url: `http://${isIP(host) === 6 ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    async close() {
      attached.detach();
      const closed = shutdown.shutdown();
      await control.drain({ graceMs: 0 });
      gateway.close();
      await closed;
    },
  };
}

/** Who the page is for. */
const whoami = gatewayMethod(
  () => undefined,
  (_, { principal, admin }) => ({ userId: principal.userId, admin }),
);

/** @throws for a server that everybody could reach, and that asks nobody who they are */
function loginsFor(host: string, tokens: string | undefined): Logins {
  if (tokens !== undefined) return readLogins(tokens);
  if (isLoopback(host)) return localUser;
  throw new Error(
    `Set GATEWAY_TOKENS to listen on ${host}: without it, everybody who reaches the server may run commands.`,
  );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** A page of somebody else's can have any name: only these are served. */
function namesOf(port: number): string[] {
  return ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`);
}
