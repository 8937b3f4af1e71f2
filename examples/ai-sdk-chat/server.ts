/** A chat page on useChat, and the server behind it: a reload resumes the answer, and Stop stops it, from every tab. */
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type OpenAI from 'openai';
import { createRunControl, type RunControl } from 'runfence';
import { createAgentRunner, memoryHistory } from 'runfence/agent';
import { createHttpHandlers } from 'runfence/http';
import { toNodeListener } from 'runfence/node';
import { openaiAgent } from 'runfence/openai';
import { loaded } from './loaded.js';

const HTML = `<!doctype html><meta charset="utf-8"><title>Chat</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 40rem; margin: 2rem auto } li { white-space: pre-wrap }</style>
<main id="chat"></main><script type="module" src="/page.js"></script>`;

/** @param script - the page's JavaScript, from `buildPage` */
export function createChatServer(
  client: OpenAI,
  model: string,
  script: string,
): { server: Server; control: RunControl } {
  const control = createRunControl({ onError: console.error });
  const runner = createAgentRunner(control, { agent: openaiAgent({ client, model }), history: memoryHistory() });
  const handlers = createHttpHandlers(runner, {
    authenticate(request) {
      const userId = userOf(request);
      return userId === undefined ? undefined : { principal: { userId } };
    },
    whenUnwatched: 'continue', // a reload does not stop the answer
    run: { timeoutMs: 10 * 60_000 }, // and nothing goes on for ever
  });

  async function fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const [, messagesOf] = /^\/api\/chat\/([^/]+)\/messages$/.exec(pathname) ?? [];
    const userId = userOf(request);
    if (messagesOf !== undefined && userId !== undefined) {
      const session = await runner.messages([userId, messagesOf], { requester: { userId } });
      return Response.json(loaded(session), { headers: { 'cache-control': 'no-store' } });
    }
    if (pathname.startsWith('/api/')) return handlers.fetch(request);
    if (pathname === '/page.js') return new Response(script, { headers: { 'content-type': 'text/javascript' } });
    if (!/^\/chats\/[\w-]+$/.test(pathname)) return Response.redirect(new URL(`/chats/${randomUUID()}`, request.url));
    const headers = new Headers({
      'content-type': 'text/html',
      'content-security-policy': "default-src 'self'; style-src 'unsafe-inline'",
    });
    // Stands in for your login: every browser is a user of its own.
    if (userId === undefined) headers.set('set-cookie', `user=${randomUUID()}; Path=/; HttpOnly; SameSite=Strict`);
    return new Response(HTML, { headers });
  }
  return { server: createServer(toNodeListener(fetch)), control };
}

function userOf(request: Request): string | undefined {
  return /(?:^|; )user=([\w-]+)/.exec(request.headers.get('cookie') ?? '')?.[1];
}
