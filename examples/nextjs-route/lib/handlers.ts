import OpenAI from 'openai';
import { createRunControl, type RunControl } from 'runfence';
import { createAgentRunner, memoryHistory } from 'runfence/agent';
import { createHttpHandlers, type HttpHandlers } from 'runfence/http';
import { openaiAgent } from 'runfence/openai';

/** Stands in for your authentication, such as the cookie of a session. */
const USERS: ReadonlyMap<string, string> = new Map([
  ['ada-token', 'ada'],
  ['eve-token', 'eve'],
]);

interface Shared {
  readonly control: RunControl;
  readonly handlers: HttpHandlers;
}

function create(): Shared {
  const control = createRunControl({ onError: console.error });
  const agent = openaiAgent({ client: new OpenAI(), model: process.env.MODEL ?? 'gpt-4.1-mini' });
  const runner = createAgentRunner(control, { agent, history: memoryHistory() });
  const handlers = createHttpHandlers(runner, {
    authenticate(request) {
      const userId = USERS.get(request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '');
      return userId === undefined ? undefined : { principal: { userId } };
    },
    whenUnwatched: 'continue', // a reload does not stop the answer
    run: { timeoutMs: 10 * 60_000 },
  });
  return { control, handlers };
}

/**
 * Next.js bundles each route for itself, and loads it anew when a file changes: a variable of this module would be another
 * one in the route that stops. The process has one `globalThis`.
 */
const shared = globalThis as { runfence?: Shared };
shared.runfence ??= create();
export const { control, handlers }: Shared = shared.runfence;
