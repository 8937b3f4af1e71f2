/** An agent on Fastify, for the clients of OpenAI, for useChat, and for everybody who wants to stop it. */
import { type FastifyInstance, fastify } from 'fastify';
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

export function createApp(
  client: OpenAI,
  model: string,
): { readonly app: FastifyInstance; readonly control: RunControl } {
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
  const listener = toNodeListener(handlers.fetch, { onError: console.error });
  const app = fastify();
  app.get('/health', async () => 'ok');
  void app.register(async (routes) => {
    // The handlers read the body. Fastify's parsers would consume it, and refuse it by a limit of their own.
    routes.removeAllContentTypeParsers();
    routes.addContentTypeParser('*', (_request, _payload, done) => done(null));
    routes.all('/agent/*', (request, reply) => {
      reply.hijack(); // before the first byte: from here on the response is not Fastify's
      listener(request.raw, reply.raw);
    });
  });
  return { app, control };
}
