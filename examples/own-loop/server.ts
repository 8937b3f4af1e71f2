/** The server of the README, with a login, checks of what comes in, and an error handler. */
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { createRunControl, isRunfenceError, RunAbortedError, type RunControl, type RunOptions } from 'runfence';
import type { Store, Turn } from './store.js';

/** Makes the answer. Give the signal to everything that takes one. */
export type Model = (history: readonly Turn[], text: string, signal: AbortSignal) => AsyncIterable<string>;

/** Answers with the user of a token. Put your authentication here: a user never comes from the path or the body. */
export type Login = (token: string) => Promise<string | undefined>;

export interface AppOptions {
  readonly model: Model;
  readonly login: Login;
  readonly store: Store;
  readonly control?: RunControl;
}

export function createApp(options: AppOptions): Express {
  const { model, login, store, control = createRunControl({ onError: console.error }) } = options;
  const app = express();
  app.use(express.json({ limit: '64kb' }));

  app.use(async (req, res, next) => {
    const user = await login(req.get('authorization')?.replace(/^Bearer /, '') ?? '');
    if (user === undefined) {
      res.status(401).end();
      return;
    }
    res.locals.user = user;
    next();
  });

  app.post('/chats/:chat', async (req, res) => {
    const signal = disconnectSignal(res); // before the first await
    const { id, text }: Record<string, unknown> = req.body ?? {};
    if (typeof text !== 'string' || typeof id !== 'string') {
      res.status(400).end('id or text is missing');
      return;
    }
    const sessionKey = [res.locals.user, req.params.chat]; // the chats of two users never collide
    const options: RunOptions = {
      sessionKey,
      runId: JSON.stringify([...sessionKey, id]), // the client's id of the message
      onDuplicate: 'retry-lost', // answered again after a lost connection
      owner: { userId: res.locals.user },
      signal,
      timeoutMs: 120_000,
    };
    const outcome = await control.run(options, async (run) => {
      res.type('text/plain').set({ 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' });
      const turn = { id: run.id, user: text, answer: '' };
      const draft = run.draft(({ token }) => store.save(run.sessionKey, turn, token)); // a stop saves the partial answer
      const history = await run.read(() => store.read(run.sessionKey)); // after the previous run has saved
      for await (const part of run.fence(model(history, text, run.signal))) {
        turn.answer += part;
        res.write(part);
      }
      await draft.commit(); // saves the full answer
    });
    if (outcome.status === 'completed') res.end();
    else if (outcome.status === 'aborted') {
      // Nothing was sent yet: a client that goes by the status must neither take it for an answer nor ask again.
      if (!res.headersSent) res.status(499).set('x-should-retry', 'false');
      res.end(`\n[stopped: ${outcome.reason}]`);
    } else if (outcome.status === 'duplicate')
      res.status(409).end('duplicate'); // a repeated id
    else if (outcome.cause === 'draining') res.status(503).set('retry-after', '1').end('draining');
    else res.status(409).end(outcome.cause);
  });

  app.post('/chats/:chat/stop', async (req, res) => {
    const sessionKey = [res.locals.user, req.params.chat];
    const receipt = await control.abort({ sessionKey }, { requester: { userId: res.locals.user } });
    const { quiet } = await receipt.whenQuiet({ timeoutMs: 1_000 });
    // A receipt is for the server. A stranger must not learn that something runs here.
    const result = receipt.result === 'forbidden' ? 'nothing-running' : receipt.result;
    res.json({ result, quiet });
  });

  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    if (res.headersSent) {
      res.destroy(); // the client must not take half an answer for a whole one
      return;
    }
    const { status } = error as { status?: number };
    res.status(isRunfenceError(error, 'INVALID_OPTIONS') ? 400 : (status ?? 500)).end();
  });
  return app;
}

/**
 * A signal that fires when the client hangs up. Listen to the response: a request closes as soon as its body is read.
 * Call this before the first await of a handler.
 */
function disconnectSignal(res: Response): AbortSignal {
  const gone = new AbortController();
  const hangUp = () => res.writableEnded || gone.abort(new RunAbortedError('disconnect'));
  res.once('close', hangUp);
  if (res.closed) hangUp(); // the client left while the login was waiting, before anything listened
  return gone.signal;
}
