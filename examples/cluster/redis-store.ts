import { Redis } from 'ioredis';
import { redis } from 'runfence/redis';
import type { Entry } from '../quickstart/transcript.js';
import { LEASE_MS, type Shared } from './store.js';

const PREFIX = 'cluster';

/** The same hash tag as the keys of the backend: a fenced write touches both. */
const keyOf = (chat: string): string => `{rf:${PREFIX}}:chat:${chat}`;

/** Writes the entries, each under its id, and remembers in which order they came. */
const SAVE = `
for at = 1, #ARGV, 2 do
  if redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) == 1 then redis.call('RPUSH', KEYS[2], ARGV[at]) end
end`;

/** Sessions and chats in one Redis: the check of the token and the write are one script. */
export async function openRedis(url: string): Promise<Shared> {
  const client = new Redis(url, { commandTimeout: 5_000 });
  const backend = redis(client, { prefix: PREFIX, leaseMs: LEASE_MS });
  return {
    backend,
    transcript: {
      async save(chat, token, ...entries) {
        const keys = [keyOf(chat), `${keyOf(chat)}:order`];
        const args = entries.flatMap((entry) => [entry.id, JSON.stringify(entry)]);
        await backend.write({ sessionKey: chat, token }, { script: SAVE, keys, args });
      },
      async read(chat) {
        const ids = await client.lrange(`${keyOf(chat)}:order`, 0, -1);
        const texts = ids.length === 0 ? [] : await client.hmget(keyOf(chat), ...ids);
        return texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as Entry]));
      },
    },
    async close() {
      client.disconnect();
    },
  };
}
