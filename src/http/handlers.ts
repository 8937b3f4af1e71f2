import type { AgentRunner } from '../agent/index.js';
import { HttpError, invalid, notFound, Places } from '../transport/index.js';
import { checkOptions, type HttpHandlersOptions, limitsOf } from './options.js';
import { ResponseHeads } from './responses/heads.js';
import { ROUTES } from './routes.js';
import type { HttpContext } from './shared/context.js';
import { type HttpHandler, handle, pathOf } from './shared/handle.js';

/**
 * A runner over HTTP: each handler takes a `Request` and answers with a `Response`, and never rejects. A handler of a path
 * with an id takes the id as its second argument too, or what Next.js gives a route.
 */
export interface HttpHandlers {
  /** `POST /v1/chat/completions`, of OpenAI's API: the client brings the history, and nothing of it is kept. */
  readonly chatCompletions: HttpHandler;
  /** `POST /v1/responses`, of OpenAI's API: the session keeps the history, unless the client brings it. */
  readonly responses: HttpHandler;
  /** `GET /v1/responses/{id}`: a response as it is by now. */
  readonly getResponse: HttpHandler;
  /** `POST /v1/responses/{id}/cancel`: stops a response. */
  readonly cancelResponse: HttpHandler;
  /** `POST /api/chat`: what `useChat` of the AI SDK sends. The session keeps the history. */
  readonly chat: HttpHandler;
  /** `GET /api/chat/{id}/stream`: the answer that is under way, from its beginning; 204 if there is none. */
  readonly resumeChat: HttpHandler;
  /** `POST /api/chat/{id}/stop`: stops a chat. */
  readonly stopChat: HttpHandler;
  /** `POST /sessions/{key}/abort`: stops all that runs and waits in a session. */
  readonly abortSession: HttpHandler;
  /** `POST /runs/{id}/abort`: stops one run. */
  readonly abortRun: HttpHandler;
  /** `GET /sessions`: the sessions with runs that are not over. */
  readonly listSessions: HttpHandler;
  /** `GET /runs/{id}`: where a run is in its life. */
  readonly getRun: HttpHandler;
  /** `GET /runs/{id}/receipt`: what became of a run that was stopped. */
  readonly getReceipt: HttpHandler;
  /** `GET /runs/{id}/events`: what a run says, to follow and to go on with. */
  readonly runEvents: HttpHandler;
  /** `POST /approvals/{id}`: answers a question for approval, once. */
  readonly answerApproval: HttpHandler;
  /**
   * All routes together, by method and path.
   *
   * @param request - any request; one that no route serves is answered with 404
   */
  readonly fetch: (request: Request) => Promise<Response>;
}

/**
 * Serves a runner over HTTP, for every runtime that has `Request` and `Response`.
 *
 * A client that hangs up stops its run, if no other follows it. A stop ends every response in order. What is forbidden looks
 * as if it were not there.
 *
 * @param runner - what answers
 * @param options - `authenticate`, and what has a default
 * @returns a handler for each route, and `fetch` for all
 * @throws `INVALID_OPTIONS` for an unknown name or a wrong type
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 * import { type Agent, createAgentRunner } from 'runfence/agent';
 * import { createHttpHandlers } from 'runfence/http';
 *
 * const parrot: Agent<string> = {
 *   format: 'words',
 *   from: (messages) => messages.map(({ role }) => role),
 *   to: (words) => words.map((content) => ({ role: 'assistant', content })),
 *   close: (history) => [...history],
 *   turn: (_run, { emit }) => {
 *     emit({ type: 'text', text: 'hello' });
 *     return { done: Promise.resolve({ reason: 'stop' }), snapshot: () => ['hello'] };
 *   },
 * };
 * const runner = createAgentRunner(createRunControl(), { agent: parrot });
 * const { fetch } = createHttpHandlers(runner, { authenticate: () => ({ principal: { userId: 'ada' } }) });
 *
 * const body = JSON.stringify({ model: 'mine', messages: [{ role: 'user', content: 'hi' }] });
 * const headers = { 'content-type': 'application/json' };
 * const response = await fetch(new Request('http://server.test/v1/chat/completions', { method: 'POST', headers, body }));
 * console.assert(response.status === 200);
 * ```
 */
export function createHttpHandlers(runner: AgentRunner, options: HttpHandlersOptions): HttpHandlers {
  if (typeof runner?.send !== 'function' || typeof runner.control?.abort !== 'function') {
    throw invalid('createHttpHandlers needs a runner: createAgentRunner makes one.');
  }
  const checked = checkOptions(options);
  const limits = limitsOf(checked.limits);
  const places = new Places(limits.runsPerPrincipal);
  const { control } = runner;
  const heads = new ResponseHeads(control);
  const context: HttpContext = { runner, control, options: checked, limits, places, heads };
  const entries = Object.entries(ROUTES).map(([name, route]) => {
    return { name, route, handler: handle(context, route.method, route.path, route.answer) };
  });
  const fetch = async (request: Request): Promise<Response> => {
    const path = pathOf(checked.basePath, request);
    const there = entries.filter(({ route }) => path !== undefined && route.path.test(path));
    const served = there.find(({ route }) => route.method === request.method);
    if (served !== undefined) return served.handler(request);
    if (there.length === 0) return notFound().toResponse();
    const allow = there.map(({ route }) => route.method).join(', ');
    return new HttpError(405, 'method_not_allowed', `Use ${allow}.`, { headers: { allow } }).toResponse();
  };
  const handlers = Object.fromEntries(entries.map(({ name, handler }) => [name, handler]));
  return { ...handlers, fetch } as HttpHandlers;
}
