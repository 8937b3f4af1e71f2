import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Backend, createRunControl, RunAbortedError, type RunControl, sessionKeyOf } from 'runfence';
import { type AgentOptions, createAgent } from './agent.js';
import { HttpError, readBody, required, sendJson } from './http.js';

export interface ChatServerOptions extends AgentOptions {
  /** Bearer token to user id. Stands in for your authentication: who somebody is never comes from the body. */
  readonly users: ReadonlyMap<string, string>;
  /** What several servers share. Without one, this process is alone. */
  readonly backend?: Backend;
}

export interface ChatServer {
  readonly server: Server;
  readonly control: RunControl;
  /** Lets nobody new in, stops what still runs after `graceMs`, and closes once every client has its last line. */
  close(graceMs?: number): Promise<void>;
}

/** How long a receipt waits for what was stopped to be really gone, before it names what is left. */
const QUIET_MS = 3_000;

/** A signal that fires when the client hangs up. Call it before the first await of a handler. */
function disconnectSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  const hangUp = () => res.writableEnded || gone.abort(new RunAbortedError('disconnect'));
  res.once('close', hangUp);
  if (res.closed) hangUp(); // the client left before anything listened
  return gone.signal;
}

export function createChatServer(options: ChatServerOptions): ChatServer {
  const { transcript, users, backend } = options;
  const onError = (error: unknown): void => console.error(error); // of late work, of epilogues
  const control = createRunControl({ ...(backend && { backend }), onError });
  const answer = createAgent(options);

  async function chat(userId: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const signal = disconnectSignal(res); // before the first await
    const body = await readBody(req);
    const text = required(body, 'text');
    const sessionKey = [userId, required(body, 'chat')]; // the chats of two users never collide
    res.setHeader('content-type', 'text/plain; charset=utf-8').setHeader('connection', 'close');
    // A message to a chat that is still answering takes over: `whenBusy: 'interrupt'` is the default.
    const options = { sessionKey, owner: { userId }, timeoutMs: 120_000, signal };
    const outcome = await control.run(options, (run) => answer(run, text, (part) => void res.write(part)));
    if (outcome.status === 'rejected') {
      const isDraining = outcome.cause === 'draining';
      if (isDraining) res.setHeader('retry-after', '1');
      throw new HttpError(isDraining ? 503 : 409, `Not now: ${outcome.cause}.`);
    }
    if (outcome.status !== 'aborted') return void res.end('\n[completed]\n');
    res.write(`\n[stopped: ${outcome.reason}]\n`);
    res.end(`[receipt] ${JSON.stringify(await outcome.whenQuiet({ timeoutMs: QUIET_MS }))}\n`);
  }

  async function stop(userId: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const sessionKey = [userId, required(await readBody(req), 'chat')];
    const receipt = await control.abort({ sessionKey }, { requester: { userId } });
    // The report names this user's runs only; `forbidden` would tell a stranger that something runs here.
    const result = receipt.result === 'forbidden' ? 'nothing-running' : receipt.result;
    sendJson(res, 200, { result, ...(await receipt.whenQuiet({ timeoutMs: QUIET_MS })) });
  }

  async function route(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const userId = users.get(/^Bearer (\S+)$/.exec(req.headers.authorization ?? '')?.[1] ?? '');
    if (userId === undefined) throw new HttpError(401, 'A known bearer token is needed.');
    const url = new URL(req.url ?? '/', 'http://localhost');
    switch (`${req.method} ${url.pathname}`) {
      case 'POST /chat':
        return chat(userId, req, res);
      case 'POST /stop':
        return stop(userId, req, res);
      case 'GET /transcript':
        return sendJson(res, 200, await transcript.read(sessionKeyOf([userId, url.searchParams.get('chat') ?? ''])));
      default:
        throw new HttpError(404, 'There are POST /chat, POST /stop and GET /transcript?chat=...');
    }
  }

  const server = createServer((req, res) => {
    route(req, res).catch((error: unknown) => {
      if (!(error instanceof HttpError)) console.error(error);
      if (res.headersSent) return void res.end('\n[failed]\n');
      const known = error instanceof HttpError ? error : new HttpError(502, 'The answer failed.');
      sendJson(res.setHeader('connection', 'close'), known.status, { error: known.message });
    });
  });

  return {
    server,
    control,
    async close(graceMs = 0) {
      const closed = new Promise((resolve) => server.close(resolve));
      await control.drain({ graceMs });
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), QUIET_MS).unref(); // whoever does not read
      await closed;
    },
  };
}
