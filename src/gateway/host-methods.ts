import type { Awaitable, Principal, Requester } from '../index.js';

/** What a method of the host's own is told beside its parameters. */
export interface MethodCall {
  /** Who asks. */
  readonly principal: Principal;
  /** True: it may see and stop the runs of everybody. */
  readonly admin: boolean;
  /** Who asks, as the control takes it: an admin may do everything. */
  readonly requester: Requester;
  /** The connection. */
  readonly connectionId: string;
  /** Aborts when the connection closes. */
  readonly signal: AbortSignal;
  /**
   * The session that the client means by a key.
   *
   * @throws `GatewayError` with `not_found` or `invalid_params`, which is the answer if it is let through
   */
  sessionKey(key: string): string;
  /**
   * Sends an event of the host's own to this connection.
   *
   * @param event - its name: letters, digits, `.`, `_` and `-`
   * @param payload - JSON data
   */
  emit(event: string, payload: unknown): void;
}

/** A method of the host's own. */
export interface GatewayMethod<P, R> {
  /** Checks the parameters, which a stranger has sent; throws for what they are not. */
  params(value: unknown): P;
  /** Answers. What it throws is `internal_error` to the client, but for a `GatewayError`. */
  handle(params: P, call: MethodCall): Awaitable<R>;
}

/** Methods of the host's own, by name. */
export interface GatewayMethods {
  readonly [name: string]: GatewayMethod<unknown, unknown>;
}

/**
 * Makes a method of the host's own, with the types of what it takes and answers.
 *
 * @param params - checks what a stranger has sent, such as `schema.parse` of zod; throws for what is wrong
 * @param handle - answers with JSON data
 * @returns the method, for `methods` of `createGateway`
 *
 * @example
 * ```ts
 * import { GatewayError, gatewayMethod } from 'runfence/gateway';
 *
 * const rename = gatewayMethod(
 *   (value) => {
 *     const { title } = value as { title?: unknown };
 *     if (typeof title !== 'string') throw new GatewayError('invalid_params', 'title: must be a string');
 *     return { title };
 *   },
 *   ({ title }, { principal }) => ({ title, by: principal.userId }),
 * );
 * console.assert(rename.params({ title: 'Canals' }).title === 'Canals');
 * ```
 */
export function gatewayMethod<P, R>(
  params: (value: unknown) => P,
  handle: (params: P, call: MethodCall) => Awaitable<R>,
): GatewayMethod<P, R> {
  return { params, handle };
}
