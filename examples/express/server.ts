/** An agent on Express, for the clients of OpenAI, for useChat, and for everybody who wants to stop it. */
import express, { type Express } from 'express';
import type OpenAI from 'openai';
import { createRunControl, type RunControl } from 'runfence';
import { createAgentRunner, memoryHistory } from 'runfence/agent';
import { createHttpHandlers } from 'runfence/http';
import { toNodeListener } from 'runfence/node';
import { openaiAgent } from 'runfence/openai';

/** Stands in for your authentication: who somebody is never comes from the path or the body. */
const USERS: ReadonlyMap<string, string> = new Map([
  ['ada-token', 'ada'],
  ['eve-token', 'eve'],
]);

export function createApp(client: OpenAI, model: string): { readonly app: Express; readonly control: RunControl } {
  const control = createRunControl({ onError: console.error });
  const agent = openaiAgent({ client, model, system: 'Be brief.' });
  const runner = createAgentRunner(control, { agent, history: memoryHistory() });
  const handlers = createHttpHandlers(runner, {
    authenticate(request) {
      const userId = USERS.get(request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '');
      return userId === undefined ? undefined : { principal: { userId } };
    },
    run: { timeoutMs: 10 * 60_000 },
  });
  const app = express();
  // Before `compression()`, which holds a stream back, and before `express.json()`, whose limit is not that of the handlers.
  app.use('/agent', toNodeListener(handlers.fetch));
  app.use(express.json());
  app.get('/health', (_req, res) => void res.send('ok'));
  return { app, control };
}
