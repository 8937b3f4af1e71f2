import type { PostgresServer } from '../../support/servers/postgres.js';
import { hostOf } from '../support/clients.js';

/** The server has the schema from now on. */
export async function migrated(server: PostgresServer): Promise<void> {
  const host = hostOf('pg', server.url);
  await host.backend().migrate();
  await host.close();
}
