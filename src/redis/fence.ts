import { RunfenceError } from '../index.js';
import type { Wire } from './client.js';
import { asError, textOf } from './errors.js';
import { toJson } from './json.js';
import { sha1 } from './sha.js';

/** What a write is fenced by: the context of a commit; in an epilogue the run's key, id and generation, and its token. */
export interface RedisFenceTarget {
  /** The session. */
  readonly sessionKey: string;
  /** The run that writes; absent or `undefined` for a lock that no run holds. */
  readonly runId?: string | undefined;
  /** The generation of the run; not looked at without a run. */
  readonly generation?: number | undefined;
  /** The token with which the session's lock must be held; absent or `undefined`: only the run is looked at. */
  readonly token?: number | undefined;
}

/** What a script of your own gives to `runfence_holds`. */
export interface RedisFence {
  /** Two keys. They are in one slot with every key that has the same hash tag, `{rf:<prefix>}`. */
  readonly keys: readonly [record: string, meta: string];
  /** The third argument. */
  readonly held: string;
}

/** A write of your own that is fenced. */
export interface RedisWrite {
  /** Lua, without a shebang. It sees `KEYS` and `ARGV` as they are given here. */
  readonly script: string;
  /** Its keys; none by default. */
  readonly keys?: readonly string[] | undefined;
  /** Its arguments; none by default. */
  readonly args?: readonly string[] | undefined;
}

/**
 * A piece of Lua that defines `runfence_holds(record, meta, held)`: whether the session's lock is still held with the
 * token, and the run still running. Put it before a script of your own, and give it the keys and the text of
 * `backend.fence(context)`. What your script writes after it has asked is written by the owner, or not at all.
 *
 * @example
 * ```ts
 * import { FENCE_LUA } from 'runfence/redis';
 *
 * const script = `${FENCE_LUA}
 *   if not runfence_holds(KEYS[1], KEYS[2], ARGV[1]) then return redis.error_reply('STALE') end
 *   return redis.call('SET', KEYS[3], ARGV[2])`;
 * console.assert(script.includes('runfence_holds'));
 * ```
 */
export const FENCE_LUA: string = `
local function runfence_holds(record_key, meta_key, held_json)
  local held, packed = cjson.decode(held_json), redis.call('GET', record_key)
  -- After a failover the record may be from before what was acknowledged: who asks must have read it since.
  if not packed or redis.call('HGET', meta_key, 'line') ~= held.line then return false end
  local record = cmsgpack.unpack(packed)
  local holder = record.holder
  if held.token and (not holder or holder.token ~= held.token) then return false end
  if not held.runId then return held.token ~= nil end
  for _, run in ipairs(record.running) do
    if run.id == held.runId and run.generation == held.generation then return true end
  end
  -- A run that was stopped may save, in its epilogue.
  return held.token ~= nil and holder.isEpilogue and holder.run == held.runId
end
`;

const STALE = 'RFSTALE';
const MOST_SCRIPTS = 100;

const FENCED: string = `${FENCE_LUA}
if not runfence_holds(KEYS[1], KEYS[2], ARGV[1]) then return redis.error_reply('${STALE} not the owner') end
local KEYS, ARGV = { unpack(KEYS, 3) }, { unpack(ARGV, 2) }
`;

export function fenceOf(
  prefix: string,
  { sessionKey, runId, generation, token }: RedisFenceTarget,
  line: string,
): RedisFence {
  if (runId === undefined && token === undefined) {
    throw new RunfenceError('INVALID_OPTIONS', 'A fence needs a run or a token: give the context of a commit.');
  }
  const held = toJson({ line, runId, generation, token });
  return { keys: [`${prefix}s:${sessionKey}`, `${prefix}meta`], held };
}

/** Writes of the host, each in one script with the check. */
export class Writes {
  readonly #wire: Wire;
  readonly #shas: Map<string, string> = new Map();

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  async write({ keys: own, held }: RedisFence, { script, keys = [], args = [] }: RedisWrite): Promise<unknown> {
    const text = FENCED + script;
    const rest = [String(own.length + keys.length), ...own, ...keys, held, ...args];
    try {
      return await this.#evaluate(text, rest);
    } catch (error) {
      if (!textOf(error).startsWith(STALE)) throw asError(error);
      const message = 'The lock was lost, or the run was stopped, before this write: nothing was written.';
      throw new RunfenceError('LOCK_LOST', message);
    }
  }

  async #evaluate(text: string, rest: readonly string[]): Promise<unknown> {
    try {
      return await this.#wire.send(['EVALSHA', await this.#sha(text), ...rest]);
    } catch (error) {
      if (!textOf(error).startsWith('NOSCRIPT')) throw error;
      return this.#wire.send(['EVAL', text, ...rest]);
    }
  }

  async #sha(text: string): Promise<string> {
    const known = this.#shas.get(text);
    if (known !== undefined) return known;
    const sha = await sha1(text);
    if (this.#shas.size >= MOST_SCRIPTS) this.#shas.clear();
    this.#shas.set(text, sha);
    return sha;
  }
}
