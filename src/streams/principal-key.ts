import type { Principal } from '../index.js';

const IDS = ['userId', 'deviceId', 'connId'] as const;

/** One string a principal, to count what it has: by its widest id, or a new connection would start anew. */
export function principalKey(principal: Principal): string {
  const widest = IDS.find((name) => Object.hasOwn(principal, name) && principal[name] !== undefined);
  return JSON.stringify(widest === undefined ? [] : [widest, principal[widest]]);
}
