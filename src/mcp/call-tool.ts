import type { Run } from '../index.js';
import type { McpClient } from './sdk.js';

/** The options of a request of the SDK, of which these are looked at. */
interface RequestOptions {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: never) => void;
}

type CallTool = (params: object, resultSchema: undefined, options: object) => Promise<unknown>;

/**
 * Calls a tool of an MCP server, in a run: it starts only while the run is current. At the stop the call rejects at once, the
 * server is told by `notifications/cancelled`, and no progress is reported any more. What the server makes of that is its
 * affair: the receipt names the call in `unknown`.
 *
 * @param run - the run that it belongs to
 * @param client - a connected `Client` of the SDK
 * @param params - what `client.callTool` takes: `name` and `arguments`
 * @param options - the options of the SDK's request, such as `timeout` and `onprogress`. Its `signal` counts beside the run's
 * @returns what `client.callTool` returns
 * @throws `RUN_ABORTED` with `started` or `RUN_ENDED` if the run is over, the reason of your own `signal`, and the SDK's
 *   `McpError` for everything else, its timeout included
 */
export function callToolIn<C extends McpClient>(
  run: Run,
  client: C,
  params: Parameters<C['callTool']>[0],
  options?: Parameters<C['callTool']>[2],
): Promise<Awaited<ReturnType<C['callTool']>>> {
  type Result = Awaited<ReturnType<C['callTool']>>;
  const { signal: own, onprogress, ...rest } = (options ?? {}) as RequestOptions;
  const { name } = params as { readonly name: string };
  const call = async (): Promise<Result> => {
    const signal = own === undefined ? run.signal : AbortSignal.any([run.signal, own]);
    const progress = onprogress === undefined ? {} : { onprogress: run.fence(onprogress) };
    const callTool = client.callTool as unknown as CallTool;
    try {
      return (await callTool.call(client, params as object, undefined, { ...rest, ...progress, signal })) as Result;
    } catch (error) {
      // The SDK makes an McpError of the stop, which says so in its text only.
      signal.throwIfAborted();
      throw error;
    }
  };
  return run.gate(call, { name })();
}
