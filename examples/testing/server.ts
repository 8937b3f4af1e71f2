/** A chat server on `node:http`, small enough to be tested whole: what it depends on is handed in. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createRunControl,
  RunAbortedError,
  type RunControl,
  type RunControlOptions,
  type RunOptions,
  type RunResult,
} from 'runfence';

/** A message and its answer, as far as it came. */
export interface Turn {
  readonly id: string;
  readonly user: string;
  answer: string;
}

export interface Store {
  read(chat: string): Promise<readonly Turn[]>;
  /** Replaces the turn with that id. Refuse a token that is lower than one of the chat's before: it is a late write. */
  save(chat: string, turn: Turn, token: number): Promise<void>;
}

/** Makes the answer. Give the signal to everything that takes one. */
export type Model = (history: readonly Turn[], text: string, signal: AbortSignal) => AsyncIterable<string>;

/** What a client sends. It keeps the id when it sends a message again. */
export interface Message {
  readonly id: string;
  readonly text: string;
}

export interface ChatServer {
  readonly server: Server;
  readonly control: RunControl;
  /** One message, without HTTP around it. `write` gets the answer, part by part. */
  answer(chat: string, message: Message, write: (part: string) => void, signal?: AbortSignal): Promise<RunResult<void>>;
}

/** How long an answer may take, in ms. */
const ANSWER_MS = 60_000;

/** @param options - of the run control; tests pass a clock and a backend of their own */
export function createChatServer(model: Model, store: Store, options: RunControlOptions = {}): ChatServer {
  const control = createRunControl(options);

  const answer: ChatServer['answer'] = (chat, { id, text }, write, signal) => {
    const sessionKey = ['chat', chat];
    const runOptions: RunOptions = {
      sessionKey,
      runId: JSON.stringify([...sessionKey, id]), // the client's id of the message
      onDuplicate: 'retry-lost', // answered again after a lost connection
      timeoutMs: ANSWER_MS,
      signal,
    };
    return control.run(runOptions, async (run) => {
      const turn: Turn = { id: run.id, user: text, answer: '' };
      const draft = run.draft(({ token }) => store.save(chat, turn, token)); // a stop saves the partial answer
      const history = await run.read(() => store.read(chat)); // after the previous run has saved
      for await (const part of run.fence(model(history, text, run.signal))) {
        turn.answer += part;
        write(part);
      }
      await draft.commit(); // saves the full answer
    });
  };

  async function chat(name: string, message: Message, res: ServerResponse): Promise<void> {
    const gone = new AbortController();
    const hangUp = () => res.writableEnded || gone.abort(new RunAbortedError('disconnect'));
    res.once('close', hangUp); // before the first await
    if (res.closed) hangUp(); // the client left before anything listened
    const outcome = await answer(name, message, (part) => void res.write(part), gone.signal);
    if (outcome.status === 'rejected' && outcome.cause === 'draining') res.writeHead(503, { 'retry-after': '1' });
    else if (outcome.status === 'rejected' || outcome.status === 'duplicate') res.writeHead(409);
    res.end(outcome.status === 'aborted' ? `[stopped: ${outcome.reason}]` : '');
  }

  async function stop(name: string, res: ServerResponse): Promise<void> {
    const receipt = await control.abort({ sessionKey: ['chat', name] });
    const { quiet } = await receipt.whenQuiet({ timeoutMs: 1_000 });
    res.setHeader('content-type', 'application/json').end(JSON.stringify({ result: receipt.result, quiet }));
  }

  async function route(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://localhost');
    const [name = '', id = '', text = ''] = ['chat', 'id', 'text'].map((key) => searchParams.get(key) ?? '');
    if (pathname === '/chat') await chat(name, { id, text }, res);
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
