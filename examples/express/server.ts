/** The fifteen lines of the README, with what a server in the open needs besides. */
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { createRunControl, isRunfenceError, RunAbortedError, type RunControl } from 'runfence';

/** Whoever makes the answer. Give the signal to everything that takes one. */
export type Model = (text: string, signal: AbortSignal) => AsyncIterable<string>;

/** Put your authentication here: who somebody is never comes from the body. */
const USERS: ReadonlyMap<string, string> = new Map([
  ['ada-token', 'ada'],
  ['eve-token', 'eve'],
]);

export function createApp(model: Model, control: RunControl = createRunControl({ onError: console.error })): Express {
  const app = express();
  app.use(express.json({ limit: '64kb' }));

  app.use((req, res, next) => {
    const user = USERS.get(req.get('authorization')?.replace(/^Bearer /, '') ?? '');
    if (user === undefined) {
      res.status(401).end();
      return;
    }
    res.locals.user = user;
    next();
  });

  // The user is part of the key: nobody can even name a chat of somebody else, or find out that it is active.
  const keyOf = (req: Request, res: Response) => {
    if (typeof req.body?.chat !== 'string') throw Object.assign(new TypeError('chat is missing'), { status: 400 });
    return JSON.stringify([res.locals.user, req.body.chat]);
  };

  app.post('/chat', async (req, res) => {
    const gone = new AbortController();
    res.once('close', () => res.writableEnded || gone.abort(new RunAbortedError('disconnect')));
    const options = {
      sessionKey: keyOf(req, res),
      owner: { userId: res.locals.user },
      signal: gone.signal,
      timeoutMs: 120_000,
    };
    const outcome = await control.run(options, async (run) => {
      res.type('text/plain').set({ 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' });
      for await (const part of run.fence(model(String(req.body.text), run.signal))) res.write(part);
    });
    if (outcome.status === 'rejected')
      res.status(409).end(outcome.cause); // nothing was started
    else res.end(outcome.status === 'aborted' ? `\n[stopped: ${outcome.reason}]` : '');
  });

  app.post('/stop', async (req, res) => {
    const requester = { userId: res.locals.user };
    const receipt = await control.abort({ sessionKey: keyOf(req, res) }, { requester });
    const { quiet } = await receipt.whenQuiet({ timeoutMs: 1_000 });
    res.json({ result: receipt.result, quiet });
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
