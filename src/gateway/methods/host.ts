import type { Call } from '../context.js';
import { GatewayError, invalidParams } from '../gateway-error.js';
import type { GatewayMethod, MethodCall } from '../host-methods.js';
import { sessionFor } from '../sessions.js';
import type { Method } from './method.js';

/** A method of the host's own. */
export function hostMethod(method: GatewayMethod<unknown, unknown>): Method {
  return {
    isUrgent: false,
    answer: (call, params) => method.handle(read(method, params), shown(call)),
  };
}

/** What a check throws is about what the client has sent. */
function read(method: GatewayMethod<unknown, unknown>, params: unknown): unknown {
  try {
    return method.params(params);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw invalidParams('The parameters are not those of this method.');
  }
}

function shown({ context, connection, caller, signal }: Call): MethodCall {
  const { principal, isAdmin: admin, requester } = caller;
  return {
    principal,
    admin,
    requester,
    connectionId: connection.id,
    signal,
    sessionKey: (key) => sessionFor(context, caller, key),
    emit: (event, payload) => {
      if (!/^[\w.-]{1,64}$/.test(event))
        throw new TypeError('The name of an event has letters, digits, ".", "_" and "-".');
      connection.outlet.event(event, JSON.stringify(payload) ?? 'null');
    },
  };
}
