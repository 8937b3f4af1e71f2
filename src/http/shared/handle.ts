import { isRunfenceError } from '../../index.js';
import { errorOf, HttpError, isHttpError } from '../../transport/index.js';
import type { Call, HttpContext } from './context.js';
import { callerOf, checkSource } from './gate.js';

/** What names a run, a session or a chat: an id, or what Next.js gives a route. Left out, it is taken from the path. */
export type IdArgument = string | RouteContext;

/** What Next.js gives a route as its second argument. */
export interface RouteContext {
  /** The parts of the path that have a name; the first one is the id. */
  readonly params:
    | Readonly<Record<string, string | readonly string[] | undefined>>
    | Promise<Readonly<Record<string, string | readonly string[] | undefined>>>;
}

/** A handler of the web's standard form. It never rejects. */
export type HttpHandler = (request: Request, id?: IdArgument) => Promise<Response>;

/** A handler around the work of a route: who asks is known, and what is thrown is an answer without a stack. */
export function handle(
  context: HttpContext,
  method: 'GET' | 'POST',
  route: RegExp,
  answer: (call: Call) => Promise<Response>,
): HttpHandler {
  return async (request, given) => {
    try {
      if (request.method !== method) {
        throw new HttpError(405, 'method_not_allowed', `Use ${method}.`, { headers: { allow: method } });
      }
      checkSource(context, request);
      const caller = await callerOf(context, request);
      if (caller instanceof Response) return caller;
      const id = given === undefined ? idInPath(context, route, request) : await idIn(given);
      return await answer({ context, request, caller, id });
    } catch (error) {
      return answerOfError(context, error);
    }
  };
}

export function answerOfError({ control }: HttpContext, error: unknown): Response {
  const answer = errorOf(error);
  // What only the server can mend is told to the server, and nothing of it to the client.
  if (!isHttpError(error) && (answer.status >= 500 || isRunfenceError(error, 'INVALID_OPTIONS'))) {
    control.onError(error);
  }
  return answer.toResponse();
}

function idInPath({ options }: HttpContext, route: RegExp, request: Request): string {
  const match = route.exec(pathOf(options.basePath, request) ?? '');
  return decoded(match?.[1] ?? '');
}

async function idIn(given: IdArgument): Promise<string> {
  if (typeof given === 'string') return given;
  const [value] = Object.values(await given.params);
  return typeof value === 'string' ? decoded(value) : '';
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The path behind the base; `undefined` if it is not below it. */
export function pathOf(basePath: string | undefined, request: Request): string | undefined {
  const { pathname } = new URL(request.url);
  if (basePath === undefined || basePath === '') return pathname;
  return pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length) : undefined;
}
