import { invalid } from './internal/errors.js';
import { isKey, notAKey } from './internal/validate.js';

/**
 * Who acts. It comes from the host's authentication, never from what a request says of itself.
 * At least one id is given; it is copied and frozen.
 */
export interface Principal {
  /** The person or account. */
  readonly userId?: string;
  /** The device, so that a client that reconnects keeps its runs. */
  readonly deviceId?: string;
  /** The connection, so that what a connection started can be stopped with it. */
  readonly connId?: string;
}

/** The requester that may do everything. A symbol, so that no request body can spell it. */
export const ADMIN: unique symbol = Symbol('runfence.admin');

/**
 * The host itself, said explicitly: `requester: HOST` and `owner: HOST` are what leaving it out means. `undefined` is
 * refused, since it is what a user looks like whom nobody found.
 */
export const HOST: unique symbol = Symbol('runfence.host');

/** Who asks: a principal, `ADMIN`, or nobody (`undefined`), which is the host itself. */
export type Requester = Principal | typeof ADMIN;

const IDS = ['userId', 'deviceId', 'connId'] as const;

export function copyPrincipal(what: string, value: unknown): Principal {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${what} must be an object with userId, deviceId or connId${nobody(what, value)}`);
  }
  const copy: { -readonly [K in keyof Principal]: Principal[K] } = {};
  let given = 0;
  for (const name of Object.keys(value)) {
    if (name !== 'userId' && name !== 'deviceId' && name !== 'connId') {
      throw invalid(`${what} may have userId, deviceId and connId, nothing else.`);
    }
    const id = (value as Record<string, unknown>)[name];
    if (id === undefined) continue;
    if (!isKey(id)) throw notAKey(`${what}.${name}`, id);
    copy[name] = id;
    given += 1;
  }
  if (given === 0) {
    throw invalid(`${what} names nobody: give userId, deviceId or connId${nobody(what, undefined)}`);
  }
  return Object.freeze(copy);
}

/** What a user who was not found looks like: to leave the requester out would give a stranger the host's power. */
function nobody(what: string, value: unknown): string {
  if (value !== undefined && value !== null) return '.';
  const host = what === 'selector.owner' ? '' : ` If the server itself is meant, say ${what}: HOST.`;
  return `. Is the request authenticated? A user who was not found must not count as the server, which may do everything.${host}`;
}

/** Left out, it is the host itself. Present and undefined is a user whom nobody found: that must not get the host's power. */
export function requesterOf(options: Readonly<Record<string, unknown>>): Requester | undefined {
  if (!('requester' in options)) return undefined;
  const { requester } = options;
  if (requester === HOST) return undefined;
  return requester === ADMIN ? requester : copyPrincipal('requester', requester);
}

/** As `requesterOf`, for who starts a run. */
export function ownerOf(options: Readonly<Record<string, unknown>>): Principal | undefined {
  if (!('owner' in options)) return undefined;
  const { owner } = options;
  return owner === HOST ? undefined : copyPrincipal('owner', owner);
}

/** Only own ids count: an id on Object.prototype would make a stranger the owner. */
function idOf(principal: Principal, name: (typeof IDS)[number]): string | undefined {
  return Object.hasOwn(principal, name) ? principal[name] : undefined;
}

/** Whether both have one id in common. A blank id never gets this far. */
export function sharesId(a: Principal, b: Principal): boolean {
  return IDS.some((name) => idOf(a, name) !== undefined && idOf(a, name) === idOf(b, name));
}

/** Whether both are the same person or account. */
export function sharesUser(a: Principal, b: Principal): boolean {
  return idOf(a, 'userId') !== undefined && idOf(a, 'userId') === idOf(b, 'userId');
}

/** Whether `owner` has every id that `wanted` names. */
export function hasIds(owner: Principal | undefined, wanted: Principal): boolean {
  return (
    owner !== undefined &&
    IDS.every((name) => idOf(wanted, name) === undefined || idOf(wanted, name) === idOf(owner, name))
  );
}

/** One string a principal, to count what it has stored: by its widest id, or a new connection would start anew. */
export function principalKey(principal: Principal): string {
  const widest = IDS.find((name) => idOf(principal, name) !== undefined);
  return JSON.stringify(widest === undefined ? [] : [widest, principal[widest]]);
}
