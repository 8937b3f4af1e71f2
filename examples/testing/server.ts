/** A chat server on `node:http`, small enough to be tested whole: what it depends on is handed in. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createRunControl, RunAbortedError, type RunControl, type RunControlOptions, type RunResult } from 'runfence';

/** Makes the answer. Give the signal to everything that takes one. */
export type Model = (text: string, signal: AbortSignal) => AsyncIterable<string>;

export interface ChatServer {
  readonly server: Server;
  readonly control: RunControl;
  /** One message, without HTTP around it. `write` gets the answer, part by part. */
  answer(chat: string, text: string, write: (part: string) => void, signal?: AbortSignal): Promise<RunResult<void>>;
}

/** How long an answer may take, in ms. */
const ANSWER_MS = 60_000;

/** @param options - of the run control; tests pass a clock and a backend of their own */
export function createChatServer(model: Model, options: RunControlOptions = {}): ChatServer {
  const control = createRunControl(options);

  const answer: ChatServer['answer'] = (chat, text, write, signal) =>
    control.run({ sessionKey: chat, timeoutMs: ANSWER_MS, signal }, async (run) => {
      for await (const part of run.fence(model(text, run.signal))) write(part);
    });

  async function chat(name: string, text: string, res: ServerResponse): Promise<void> {
    const gone = new AbortController();
    const hangUp = () => res.writableEnded || gone.abort(new RunAbortedError('disconnect'));
    res.once('close', hangUp); // before the first await
    if (res.closed) hangUp(); // the client left before anything listened
    const outcome = await answer(name, text, (part) => void res.write(part), gone.signal);
    if (outcome.status === 'rejected' && outcome.cause === 'draining') res.writeHead(503, { 'retry-after': '1' });
    else if (outcome.status === 'rejected' || outcome.status === 'duplicate') res.writeHead(409);
    res.end(outcome.status === 'aborted' ? `[stopped: ${outcome.reason}]` : '');
  }

  async function stop(name: string, res: ServerResponse): Promise<void> {
    const receipt = await control.abort({ sessionKey: name });
    const { quiet } = await receipt.whenQuiet({ timeoutMs: 1_000 });
    res.setHeader('content-type', 'application/json').end(JSON.stringify({ result: receipt.result, quiet }));
  }

  async function route(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://localhost');
    const name = searchParams.get('chat') ?? '';
    if (pathname === '/chat') await chat(name, searchParams.get('text') ?? '', res);
    else if (pathname === '/stop') await stop(name, res);
    else res.writeHead(404).end();
  }

  const server = createServer((req, res) => {
    route(req, res).catch(() => {
      if (!res.headersSent) res.statusCode = 502;
      res.end();
    });
  });
  return { server, control, answer };
}
