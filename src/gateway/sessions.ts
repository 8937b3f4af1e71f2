import { type Caller, mapKey } from '../transport/index.js';
import type { GatewayContext } from './context.js';
import { invalidParams, notFound } from './gateway-error.js';

/**
 * The session that a client means.
 *
 * @param owner - for an admin: the `userId` whose session it is
 * @throws `not_found` if the host refuses it; `invalid_params` for what is no key
 */
export function sessionFor({ options }: GatewayContext, caller: Caller, key: string, owner?: string): string {
  // Who is no admin learns nothing of it: no session of somebody else is there.
  if (owner !== undefined && !caller.isAdmin) throw notFound();
  const mapped = mapKey(options, owner === undefined ? caller.principal : { userId: owner }, key);
  if (mapped === 'refused') throw notFound();
  if (mapped === 'blank') throw invalidParams('The session key must not be blank.');
  if (mapped === 'too-long') throw invalidParams('This is no session key: it is too long.');
  return mapped.sessionKey;
}
