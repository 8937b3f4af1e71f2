import type { RunControlOptions } from 'runfence';
import type { AgentRunnerOptions } from 'runfence/agent';
import { createHttpHandlers, type HttpHandlers, type HttpHandlersOptions } from 'runfence/http';
import type { FakeClock } from 'runfence/testing';
import type { Script } from '../../agent/support/scripted.js';
import { type Stage, stage } from '../../agent/support/stage.js';
import type { Said } from '../../agent/support/transcript.js';
import { atEndOfTest } from '../../support/at-end.js';
import { type FetchServer, serveFetch } from '../../support/fetch-server.js';

export interface HttpStage extends Stage {
  readonly handlers: HttpHandlers;
  /** Asks the handlers, without a socket. */
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
    init?: RequestInit,
  ): Promise<Response>;
  /** The handlers on a real socket; closed at the end of the test. */
  serve(): Promise<FetchServer>;
}

interface Options {
  readonly http?: Partial<HttpHandlersOptions>;
  readonly runner?: Partial<AgentRunnerOptions<Said>>;
  readonly control?: Omit<RunControlOptions, 'clock'>;
  readonly clock?: FakeClock;
}

/** By `Authorization: Bearer <userId>`; `root` is an admin. */
export function bearer(request: Request): ReturnType<HttpHandlersOptions['authenticate']> {
  const userId = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1];
  if (userId === undefined) return undefined;
  return { principal: { userId }, ...(userId === 'root' ? { admin: true } : {}) };
}

/** The handlers over a runner with the tests' own agent. */
export function httpStage(script: Script | readonly Script[], options: Options = {}): HttpStage {
  const staged = stage(script, options.runner, options.control, options.clock);
  const handlers = createHttpHandlers(staged.runner, { authenticate: bearer, ...options.http });
  return {
    ...staged,
    handlers,
    ask: (method, path, body, headers = {}, init = {}) =>
      handlers.fetch(
        new Request(`http://server.test${path}`, {
          method,
          headers: {
            authorization: 'Bearer ada',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
          ...init,
        }),
      ),
    serve: async () => {
      const server = await serveFetch(handlers.fetch);
      atEndOfTest(() => server.close());
      return server;
    },
  };
}
