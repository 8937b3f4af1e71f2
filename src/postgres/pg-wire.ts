import type { PgListener, PgPool, PgPoolClient, PgQuery } from './clients.js';
import { BOUNDED, type Call, type Heard, ISOLATED, type Listening, type Wire } from './wire.js';

/** A listening connection, or how it is made; `false`: none. */
export type PgListen = false | string | object | (() => PgListener);

interface PoolWithClient {
  readonly options?: object;
  readonly Client?: new (config: object) => PgListener;
}

/** Whatever parsers the host has set, values come as they are. */
const PLAIN = { getTypeParser: () => (value: string) => value };

export class PgWire implements Wire {
  readonly kind = 'pg';
  readonly #pool: PgPool;
  readonly #listen: PgListen | undefined;
  readonly #isPreparing: boolean;

  constructor(pool: PgPool, listen: PgListen | undefined, isPreparing: boolean) {
    this.#pool = pool;
    this.#listen = listen;
    this.#isPreparing = isPreparing;
  }

  async call(call: Call): Promise<string | null> {
    return textOf(await this.#pool.query(queryOf(call, this.#isPreparing)));
  }

  callIsolated(call: Call): Promise<string | null> {
    return this.#lent(async (client) => {
      await client.query({ text: `begin ${ISOLATED}`, query_timeout: call.timeoutMs });
      await client.query({ text: BOUNDED, query_timeout: call.timeoutMs });
      const answer = textOf(await client.query(queryOf(call, this.#isPreparing)));
      await client.query({ text: 'commit', query_timeout: call.timeoutMs });
      return answer;
    });
  }

  migrate(lock: string, version: string, steps: (version: number) => string): Promise<number> {
    return this.#lent(async (client) => {
      await client.query({ text: 'begin isolation level read committed read write' });
      await client.query({ text: lock });
      const found = Number(textOf(await client.query({ text: version, rowMode: 'array', types: PLAIN })));
      await client.query({ text: steps(found) });
      await client.query({ text: 'commit' });
      return found;
    });
  }

  transact(
    options: string,
    work: (client: unknown) => unknown,
    last: (client: unknown) => Promise<void>,
  ): Promise<unknown> {
    return this.#lent(async (client) => {
      await client.query({ text: `begin ${options}` });
      const value = await work(client);
      await last(client);
      await client.query({ text: 'commit' });
      return value;
    });
  }

  listen(channel: string, heard: Heard): Promise<Listening> | undefined {
    const client = this.#listener();
    return client && listenOn(client, channel, heard);
  }

  /** On failure it is rolled back; a connection on which that fails is not given back. */
  async #lent<T>(work: (client: PgPoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let isBroken = true;
    try {
      const value = await work(client);
      isBroken = false;
      return value;
    } catch (error) {
      isBroken = await client.query({ text: 'rollback', query_timeout: 1_000 }).then(
        () => false,
        () => true,
      );
      throw error;
    } finally {
      client.release(isBroken);
    }
  }

  /** One of its own: a pool gives its connections to others, and does not listen. */
  #listener(): PgListener | undefined {
    const listen = this.#listen;
    if (listen === false) return undefined;
    if (typeof listen === 'function') return (listen as () => PgListener)();
    const { Client, options = {} } = this.#pool as PoolWithClient;
    if (Client === undefined) return undefined;
    if (listen === undefined) return new Client(withoutPool(options));
    return new Client(typeof listen === 'string' ? { connectionString: listen } : listen);
  }
}

/** The password of a pool's options does not show up when they are copied. */
function withoutPool(options: object): object {
  const { password, ssl } = options as { password?: unknown; ssl?: unknown };
  return { ...options, ...(password !== undefined && { password }), ...(ssl !== undefined && { ssl }) };
}

async function listenOn(client: PgListener, channel: string, heard: Heard): Promise<Listening> {
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    destroy(client);
    heard.ended();
  };
  client.on('error', end);
  client.on('end', end);
  client.on('notification', ({ payload }) => heard.notice(payload ?? ''));
  try {
    await client.connect();
    await client.query({ text: `listen "${channel}"` });
  } catch (error) {
    isOver = true;
    destroy(client);
    throw error;
  }
  // A server that is done with all else ends.
  (client as { unref?: () => void }).unref?.();
  const callAlone = oneAtATime(client);
  return {
    get call() {
      return callAlone();
    },
    close: async () => {
      isOver = true;
      await client.end().catch(() => {});
    },
  };
}

/** What is in the line of a `pg` client it warns of: `undefined` while one is on its way, also one that was given up. */
function oneAtATime(client: PgListener): () => Listening['call'] {
  let isBusy = false;
  const isFree = (): void => {
    isBusy = false;
  };
  client.on('drain', isFree);
  const call = async (asked: Call): Promise<string | null> => {
    isBusy = true;
    const answer = await client.query(queryOf(asked, false));
    isFree();
    return textOf(answer);
  };
  return () => (isBusy ? undefined : call);
}

/** Without waiting for a server that may not be there. */
function destroy(client: PgListener): void {
  const { connection } = client as { connection?: { stream?: { destroy?: () => void } } };
  client.end().catch(() => {});
  connection?.stream?.destroy?.();
}

function queryOf({ name, text, values, timeoutMs }: Call, isPreparing: boolean): PgQuery {
  const query: PgQuery = { text, values: [...values], rowMode: 'array', types: PLAIN, query_timeout: timeoutMs };
  return isPreparing && name !== undefined ? { ...query, name } : query;
}

function textOf({ rows }: { readonly rows: unknown[] }): string | null {
  return ((rows[0] as unknown[] | undefined)?.[0] as string | undefined) ?? null;
}
