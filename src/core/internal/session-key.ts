import { invalid } from './errors.js';
import { checkKey, isKey, LONGEST_KEY, notAKey } from './validate.js';

/**
 * The name of a session: one string, or the parts that it is made of, such as `[userId, chatId]`. A key has at most
 * 1 024 characters, that of an array as `sessionKeyOf` makes it; an array has 1 to 16 parts.
 */
export type SessionKey = string | readonly string[];

const MOST_PARTS = 16;

/**
 * Makes the one string that names a session: what `run.sessionKey`, views and events show, and what a store can be keyed
 * by. A string is its own key. An array becomes its JSON, `["ada","chat-1"]`: two arrays give the same string only if they
 * have the same parts in the same order.
 *
 * Both forms share one namespace, so that `run.sessionKey` can be given back. A string that spells such JSON is that
 * array's session: never let a client name a whole key, only a part of one.
 *
 * @param key - a non-blank string, or 1 to 16 of them
 * @returns the key, at most 1 024 characters
 * @throws `INVALID_OPTIONS` for a part that is not a non-blank string: a user who was not found must not share a session
 *
 * @example
 * ```ts
 * import { sessionKeyOf } from 'runfence';
 *
 * console.assert(sessionKeyOf(['ada', '1:2']) !== sessionKeyOf(['ada:1', '2']));
 * console.assert(sessionKeyOf('chat-1') === 'chat-1');
 * ```
 */
export function sessionKeyOf(key: SessionKey): string {
  return readSessionKey('sessionKey', key);
}

/** Each part is read once: a getter, a Proxy or a later write cannot show one part to the check and another to the key. */
export function readSessionKey(what: string, value: unknown): string {
  if (!Array.isArray(value)) {
    checkKey(what, value, ', or an array of such strings');
    return value;
  }
  const count = Number(value.length);
  if (!(count >= 1 && count <= MOST_PARTS)) {
    throw invalid(`${what} must have 1 to ${MOST_PARTS} parts: got ${count}.`);
  }
  let key = '';
  for (let at = 0; at < count; at += 1) {
    const part: unknown = value[at];
    if (!isKey(part)) throw notAKey(`${what}[${at}]`, part);
    // Part by part: a `toJSON` that somebody has put on Array.prototype would name all sessions alike.
    key += `${at === 0 ? '[' : ','}${JSON.stringify(part)}`;
  }
  key += ']';
  if (key.length > LONGEST_KEY) {
    throw invalid(`${what} must have at most ${LONGEST_KEY} characters: its parts make ${key.length}.`);
  }
  return key;
}
