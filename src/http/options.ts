import type { SendOptions, Unwatched } from '../agent/index.js';
import type { Awaitable, Principal, SessionKey } from '../index.js';
import { type Authenticated, checkUnwatched, invalid, known, limitsFrom } from '../transport/index.js';

/**
 * Says who makes a request. It is asked before the body is read.
 *
 * @param request - the request: read its headers, and not its body
 * @returns who it is; a `Response` to answer with instead; `undefined` for nobody, which is answered with 401
 */
export type Authenticate = (request: Request) => Awaitable<Authenticated | Response | undefined>;

/** What one request, and one principal, may take. */
export interface HttpLimits {
  /** Bytes of a body; 10 MiB by default. */
  readonly bodyBytes?: number | undefined;
  /** How long a body may take to arrive, in ms; 30 000 by default. */
  readonly bodyTimeoutMs?: number | undefined;
  /** How deep the JSON of a body may be nested; 64 by default. */
  readonly jsonDepth?: number | undefined;
  /** Bytes of one file in a message; 5 MiB by default. */
  readonly fileBytes?: number | undefined;
  /** Runs of one principal that these handlers have started and that are not over; 500 by default. */
  readonly runsPerPrincipal?: number | undefined;
  /** A comment goes out after so many ms in which a stream was silent, for proxies; 15 000 by default. */
  readonly heartbeatMs?: number | undefined;
  /**
   * A client that does not read what waits for it for so many ms, and at most for twice as long, has left; 30 000 by
   * default.
   */
  readonly stallMs?: number | undefined;
  /** How long a stop may wait for quiet if the client asks for it, in ms; 30 000 by default. */
  readonly waitMs?: number | undefined;
}

/** How the handlers are made. */
export interface HttpHandlersOptions {
  /** Who makes a request. */
  readonly authenticate: Authenticate;
  /**
   * The session of a key that a client names; `undefined` refuses it as not found. By default each principal has a key
   * space of its own: `[userId, key]`. Put the client's key last, or give `keyOf` too.
   */
  readonly session?: ((principal: Principal, key: string) => SessionKey | undefined) | undefined;
  /** The client's key of a session; by default the last part of the session's key. */
  readonly keyOf?: ((sessionKey: string) => string) | undefined;
  /** What a request does if its session is busy; `interrupt` by default. */
  readonly whenBusy?: 'interrupt' | 'enqueue' | 'reject' | 'concurrent' | undefined;
  /**
   * What happens to a run when the last client that follows it leaves: it is stopped, by default. `continue` is for pages
   * that are loaded again and resume.
   */
  readonly whenUnwatched?: Unwatched | undefined;
  /**
   * What a stop is to the client of a stream: `by-cause`, by default, ends it in order if somebody stopped it or took over,
   * and with an error otherwise; `error` always ends it with an error.
   */
  readonly atAbort?: 'by-cause' | 'error' | undefined;
  /** Whether a client may bring `system` and `developer` messages; not by default. */
  readonly systemMessages?: boolean | undefined;
  /** The values of the `Host` header that are served; all by default. On loopback, name them: a web page can have any name. */
  readonly hosts?: readonly string[] | undefined;
  /** Origins whose pages may ask, such as `https://app.example.com`, besides those of the host that is asked. */
  readonly origins?: readonly string[] | undefined;
  /** Where `fetch` finds the routes, such as `/agent`; the root by default. */
  readonly basePath?: string | undefined;
  /** What every run gets. */
  readonly run?: Pick<SendOptions, 'kind' | 'tags' | 'timeoutMs' | 'queueTimeoutMs' | 'graceMs'> | undefined;
  /** What one request, and one principal, may take. */
  readonly limits?: HttpLimits | undefined;
}

export type Limits = { readonly [K in keyof HttpLimits]-?: number };

const LIMITS: Limits = {
  bodyBytes: 10 << 20,
  bodyTimeoutMs: 30_000,
  jsonDepth: 64,
  fileBytes: 5 << 20,
  runsPerPrincipal: 500,
  heartbeatMs: 15_000,
  stallMs: 30_000,
  waitMs: 30_000,
};

const KNOWN: readonly string[] = [
  'authenticate',
  'session',
  'keyOf',
  'whenBusy',
  'whenUnwatched',
  'atAbort',
  'systemMessages',
  'hosts',
  'origins',
  'basePath',
  'run',
  'limits',
] satisfies readonly (keyof HttpHandlersOptions)[];
const RUN: readonly string[] = ['kind', 'tags', 'timeoutMs', 'queueTimeoutMs', 'graceMs'];
const BUSY: readonly unknown[] = ['interrupt', 'enqueue', 'reject', 'concurrent', undefined];

/** @throws `INVALID_OPTIONS` */
export function checkOptions(given: unknown): HttpHandlersOptions {
  const options = known('createHttpHandlers options', given, KNOWN) as unknown as HttpHandlersOptions;
  if (typeof options.authenticate !== 'function') {
    throw invalid('authenticate must be a function that says who makes a request: nobody may be served by accident.');
  }
  for (const name of ['session', 'keyOf'] as const) {
    if (!['function', 'undefined'].includes(typeof options[name])) throw invalid(`${name} must be a function.`);
  }
  for (const name of ['hosts', 'origins'] as const) {
    const list = options[name];
    const isList = list === undefined || (Array.isArray(list) && list.every((one) => typeof one === 'string'));
    if (!isList) throw invalid(`${name} must be an array of strings.`);
  }
  if (!BUSY.includes(options.whenBusy)) {
    throw invalid('whenBusy must be one of interrupt, enqueue, reject and concurrent.');
  }
  if (![undefined, 'by-cause', 'error'].includes(options.atAbort)) throw invalid('atAbort must be by-cause or error.');
  if (!['boolean', 'undefined'].includes(typeof options.systemMessages)) {
    throw invalid('systemMessages must be true or false.');
  }
  checkUnwatched(options.whenUnwatched);
  if (!/^(\/[^/?#]+)*$/.test(options.basePath ?? '')) throw invalid('basePath must be a path such as /agent.');
  known('run', options.run ?? {}, RUN);
  return { ...options };
}

export function limitsOf(given: HttpHandlersOptions['limits']): Limits {
  return limitsFrom(LIMITS, given);
}
