import { createHash, randomUUID } from 'node:crypto';
import {
  type Awaitable,
  type Principal,
  type Run,
  RunAbortedError,
  type RunControl,
  type RunOptions,
} from '../index.js';
import type { McpExtra, McpToolError } from './sdk.js';

/** How the run of a tool is started, if not as it is by default. */
export interface ToolRunOptions<E extends McpExtra = McpExtra>
  extends Pick<RunOptions, 'kind' | 'tags' | 'timeoutMs' | 'graceMs'> {
  /** Its session: by default that of the transport, or one of its own. Its calls run beside each other in any case. */
  readonly sessionKey?: ((extra: E) => RunOptions['sessionKey']) | undefined;
  /** Its owner: by default the user of `authInfo.extra.sub`, or else whoever has the token or the session of the transport. */
  readonly owner?: ((extra: E) => Principal | undefined) | undefined;
}

/**
 * Makes each call of a tool of an MCP server a run, so that it can be stopped, listed and drained as any other: by the client,
 * which cancels its request or goes away, by its owner, or by you. Runs of one session go beside each other.
 *
 * @param control - the control of the server
 * @param handler - does it; gets the arguments, the run, and what the SDK gives beside them. There, `signal` is the run's, and
 *   after a stop `sendNotification` sends nothing and `sendRequest` rejects
 * @param options - session, owner and limits of the run
 * @returns the callback for `server.registerTool`. For a run that was stopped by somebody else than the client it gives a result
 *   that the model reads as an error
 * @throws what the handler throws: the SDK makes an error of it for the model
 */
export function toolRun<A, E extends McpExtra, R>(
  control: RunControl,
  handler: (args: A, run: Run, extra: E) => Awaitable<R>,
  options: ToolRunOptions<E> = {},
): (args: A, extra: E) => Promise<R | McpToolError> {
  const { sessionKey = sessionOf, owner: ownerOf = principalOf, kind = 'mcp', ...rest } = options;
  // A tool without a schema gets no arguments: then what comes beside them is the first.
  return async (...given: readonly unknown[]) => {
    const extra = given.at(-1) as E;
    const args = (given.length > 1 ? given[0] : undefined) as A;
    const owner = ownerOf(extra);
    const client = follow(extra.signal);
    const running = control.run<R>(
      {
        ...rest,
        kind,
        sessionKey: sessionKey(extra),
        whenBusy: 'concurrent',
        signal: client.signal,
        ...(owner === undefined ? {} : { owner }),
      },
      (run) => handler(args, run, inRun(extra, run)),
    );
    const result = await running.finally(client.release);
    if (result.status === 'completed') return result.value;
    if (result.status === 'aborted') return told(`[stopped: ${result.reason}]`);
    return told(`[not started: ${result.status === 'rejected' ? result.cause : result.status}]`);
  };
}

function told(text: string): McpToolError {
  return { isError: true, content: [{ type: 'text', text }] };
}

function sessionOf({ sessionId }: McpExtra): RunOptions['sessionKey'] {
  return ['mcp', sessionId ?? randomUUID()];
}

/** Not the application of the token: its users have nothing to do with each other. */
function principalOf({ authInfo, sessionId }: McpExtra): Principal | undefined {
  const sub = authInfo?.extra?.sub;
  if (typeof sub === 'string' && sub.trim() !== '') return { userId: sub };
  if (authInfo !== undefined) return { connId: createHash('sha256').update(authInfo.token).digest('base64url') };
  return sessionId === undefined ? undefined : { connId: sessionId };
}

/** A client that cancels says why, in words; a connection that closes says nothing. */
function follow(signal: AbortSignal): { readonly signal: AbortSignal; readonly release: () => void } {
  const gone = new AbortController();
  const stop = (): void => {
    const isCancelled = typeof signal.reason === 'string';
    gone.abort(new RunAbortedError(isCancelled ? 'upstream' : 'disconnect'));
  };
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  return { signal: gone.signal, release: () => signal.removeEventListener('abort', stop) };
}

/** Nothing goes out by it after the stop. */
function inRun<E extends McpExtra>(extra: E, run: Run): E {
  const { signal: _, ...rest } = extra;
  const send = run.fence(extra.sendNotification);
  return {
    ...rest,
    get signal() {
      return run.signal;
    },
    sendNotification: async (notification: never) => send(notification),
    sendRequest: run.gate(extra.sendRequest, { name: 'request to the client' }),
  } as unknown as E;
}
