/** An agent on Hono, for the clients of OpenAI, for useChat, and for everybody who wants to stop it. */
import { Hono } from 'hono';
import type OpenAI from 'openai';
import { createRunControl, type RunControl } from 'runfence';
import { createAgentRunner, memoryHistory } from 'runfence/agent';
import { createHttpHandlers } from 'runfence/http';
import { openaiAgent } from 'runfence/openai';

/** Stands in for your authentication: who somebody is never comes from the path or the body. */
const USERS: ReadonlyMap<string, string> = new Map([
  ['ada-token', 'ada'],
  ['eve-token', 'eve'],
]);

export function createApp(client: OpenAI, model: string): { readonly app: Hono; readonly control: RunControl } {
  const control = createRunControl({ onError: console.error });
  const agent = openaiAgent({ client, model, system: 'Be brief.' });
  const runner = createAgentRunner(control, { agent, history: memoryHistory() });
  const handlers = createHttpHandlers(runner, {
    authenticate(request) {
      const userId = USERS.get(request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '');
      return userId === undefined ? undefined : { principal: { userId } };
    },
    basePath: '/agent',
    run: { timeoutMs: 10 * 60_000 },
  });
  const app = new Hono();
  app.get('/health', (c) => c.text('ok'));
  // The request as it came: its signal says that the client has left, and its body is read once.
  app.all('/agent/*', (c) => handlers.fetch(c.req.raw));
  return { app, control };
}
