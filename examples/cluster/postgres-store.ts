import { Client, Pool } from 'pg';
import { postgres } from 'runfence/postgres';
import type { Entry } from '../quickstart/transcript.js';
import { LEASE_MS, type Shared } from './store.js';

const SAVE = `
  insert into chat_entry (chat, id, role, text, state) values ($1, $2, $3, $4, $5)
  on conflict (chat, id) do update set text = excluded.text, state = excluded.state`;

/** Once, before the nodes start: the tables of runfence, and ours. */
export async function migrate(url: string): Promise<void> {
  const pool = new Pool({ connectionString: url });
  await postgres(pool).migrate();
  await pool.query(`
    create table if not exists chat_entry (
      chat text, id text, role text not null, text text not null, state text not null,
      at bigint generated always as identity, primary key (chat, id))`);
  await pool.end();
}

/** Sessions and chats in one database: the fence is the last statement of the transaction, so a stale write never commits. */
export async function openPostgres(url: string): Promise<Shared> {
  const pool = new Pool({ connectionString: url });
  pool.on('error', () => {}); // an idle connection that breaks is replaced
  const backend = postgres(pool, { leaseMs: LEASE_MS, listen: () => new Client({ connectionString: url }) });
  return {
    backend,
    transcript: {
      async save(chat, token, ...entries) {
        const client = await pool.connect();
        try {
          await client.query('begin');
          for (const { id, role, text, state } of entries) await client.query(SAVE, [chat, id, role, text, state]);
          await backend.fence(client, { sessionKey: chat, token });
          await client.query('commit');
        } catch (error) {
          await client.query('rollback');
          throw error;
        } finally {
          client.release();
        }
      },
      async read(chat) {
        const found = await pool.query('select id, role, text, state from chat_entry where chat = $1 order by at', [
          chat,
        ]);
        return found.rows as Entry[];
      },
    },
    async close() {
      await pool.end();
    },
  };
}
