import { timingSafeEqual } from 'node:crypto';
import type { Principal } from 'runfence';

/** Who somebody is. Stands in for your authentication. */
export interface Login {
  readonly principal: Principal;
  readonly admin?: boolean;
}

/** Answers with the login of a bearer token; `undefined` for nobody. */
export type Logins = (token: string | undefined) => Login | undefined;

/** Without tokens there is one user, which only a server on loopback may do. */
export const localUser: Logins = () => ({ principal: { userId: 'local' } });

/**
 * Reads `GATEWAY_TOKENS`, such as `{"alice-token":{"userId":"alice"},"root-token":{"userId":"root","admin":true}}`.
 *
 * @throws if it is anything else: a server with a login that nobody checks must not start
 */
export function readLogins(text: string): Logins {
  const users = new Map<string, Login>();
  for (const [token, user] of Object.entries(jsonOf(text) ?? {})) {
    const { userId, admin } = (user ?? {}) as { userId?: unknown; admin?: unknown };
    const isUser = typeof userId === 'string' && userId !== '' && ['boolean', 'undefined'].includes(typeof admin);
    if (token === '' || !isUser) throw new Error(FORM);
    users.set(token, { principal: { userId }, ...(admin === true ? { admin } : {}) });
  }
  if (users.size === 0) throw new Error(FORM);
  return (token) => [...users].find(([known]) => token !== undefined && isSame(known, token))?.[1];
}

const FORM = 'GATEWAY_TOKENS must be JSON such as {"token":{"userId":"alice"},"other":{"userId":"root","admin":true}}.';

function jsonOf(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown> | null;
  } catch {
    // What the parser says of it would have a token in it.
    throw new Error(FORM);
  }
}

/** In a time that says nothing of how much of it is right. */
function isSame(known: string, given: string): boolean {
  const [a, b] = [Buffer.from(known), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The token of `Authorization: Bearer`, or the one that a page sends with `connect`. */
export function tokenOf(headers: Headers, auth?: unknown): string | undefined {
  const given = (auth as { token?: unknown } | null | undefined)?.token;
  return typeof given === 'string' ? given : /^Bearer (\S+)$/.exec(headers.get('authorization') ?? '')?.[1];
}
