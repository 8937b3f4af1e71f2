import type { Principal } from '../../index.js';
import { invalidRequest, mapKey, notFound } from '../../transport/index.js';
import type { HttpContext } from './context.js';

/**
 * The session that a client means.
 *
 * @throws `not_found` if the host refuses it; `invalid_request` for what is no key
 */
export function sessionOf({ options }: HttpContext, principal: Principal, key: string): string {
  const mapped = mapKey(options, principal, key);
  if (mapped === 'refused') throw notFound();
  if (mapped === 'blank') throw invalidRequest('The session key must not be blank.');
  if (mapped === 'too-long') throw invalidRequest('This is no session key: it is too long.');
  return mapped.sessionKey;
}
