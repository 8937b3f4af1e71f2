import type { Caller } from '../transport/index.js';
import type { GatewayContext } from './context.js';
import type { Request } from './frames.js';
import { sessionFor } from './sessions.js';

/** What has waited, in the order in which it is handled. */
export interface Overtaken {
  /** Stops and answers: they go first, and have ended what came before them. */
  readonly first: readonly { readonly request: Request; readonly hasEnded: boolean }[];
  readonly rest: readonly Request[];
  /** What a later stop has ended. */
  readonly ended: readonly Request[];
}

/** A stop ends every earlier frame of its session, on this connection, that has started nothing yet. */
export function overtaken(context: GatewayContext, caller: Caller, waiting: readonly Request[]): Overtaken {
  const ended = new Set<Request>();
  const first: { request: Request; hasEnded: boolean }[] = [];
  for (const [at, request] of waiting.entries()) {
    const method = context.methods.get(request.method);
    const stop = method?.overtakes?.(request.params);
    const session = stop === undefined ? undefined : sessionOrNone(context, caller, stop.key);
    const before =
      session === undefined ? [] : waiting.slice(0, at).filter((one) => startsIn(context, caller, one) === session);
    for (const one of before) ended.add(one);
    if (method?.isUrgent === true || stop !== undefined) first.push({ request, hasEnded: before.length > 0 });
  }
  const isFirst = new Set(first.map(({ request }) => request));
  return {
    first: first.filter(({ request }) => !ended.has(request)),
    rest: waiting.filter((request) => !ended.has(request) && !isFirst.has(request)),
    ended: [...ended],
  };
}

function startsIn(context: GatewayContext, caller: Caller, request: Request): string | undefined {
  const key = context.methods.get(request.method)?.startsIn?.(request.params);
  return key === undefined ? undefined : sessionOrNone(context, caller, key);
}

function sessionOrNone(context: GatewayContext, caller: Caller, key: string): string | undefined {
  try {
    return sessionFor(context, caller, key);
  } catch {
    // It is told when the request itself is handled.
    return undefined;
  }
}
