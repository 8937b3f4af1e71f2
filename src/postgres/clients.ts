/** What runfence uses of a `Pool` of `pg`. */
export interface PgPool {
  /** Runs a query on any of its connections. */
  query(config: PgQuery): Promise<PgResult>;
  /** Lends a connection. */
  connect(): Promise<PgPoolClient>;
}

/** What runfence uses of a connection that a `Pool` of `pg` has lent. */
export interface PgPoolClient extends PgQueryable {
  /** Gives it back; with an error, or `true`, it is closed instead. */
  release(destroy?: Error | boolean): void;
}

/** What can run a statement: a `Client` or a `PoolClient` of `pg`. */
export interface PgQueryable {
  /** Runs a statement. */
  query(config: PgQuery): Promise<PgResult>;
}

/** What a statement gives. */
export interface PgResult {
  /** Its rows. */
  readonly rows: unknown[];
}

/** A statement, as `pg` takes it. */
export interface PgQuery {
  /** It is prepared under this name. */
  readonly name?: string;
  /** The statement. */
  readonly text: string;
  /** Its parameters; without them it may be several statements. */
  readonly values?: unknown[];
  /** How rows come. */
  readonly rowMode?: 'array';
  /** How values are read. */
  readonly types?: {
    /** The parser of a type: here of all. */
    getTypeParser(): (value: string) => unknown;
  };
  /** After so many ms without an answer it fails, and its connection is closed. */
  readonly query_timeout?: number;
}

/** A connection of `pg` that listens: a `Client`, not connected yet. */
export interface PgListener extends PgQueryable {
  /** Connects it. */
  connect(): Promise<unknown>;
  /** Closes it. */
  end(): Promise<void>;
  /** Hears what arrives. */
  on(event: 'notification', listener: (message: { readonly payload?: string | undefined }) => void): unknown;
  /** Hears how it ends, and when it has answered all that it was asked. */
  on(event: 'error' | 'end' | 'drain', listener: (error?: Error) => void): unknown;
}

/** What runfence uses of a `sql` of postgres.js. */
export interface PostgresSql extends PostgresUnsafe {
  /** Hears what arrives on a channel. */
  listen(
    channel: string,
    heard: (payload: string) => void,
    listening?: () => void,
  ): PromiseLike<{
    /** Hears nothing more of it. */
    unlisten(): Promise<unknown>;
  }>;
  /** Runs a transaction. */
  begin(options: string, work: (sql: PostgresUnsafe) => unknown): Promise<unknown>;
}

/** What can run a statement: `sql` of postgres.js, or what its `begin` gives. */
export interface PostgresUnsafe {
  /** Runs a statement. */
  unsafe(text: string, values?: never[], options?: { prepare?: boolean }): PromiseLike<unknown>;
}

/** What `postgres()` takes: the host's own `Pool` of `pg`, or its `sql` of postgres.js. */
export type PostgresClient = PgPool | PostgresSql;

/** What a transaction gives to work with: a `PoolClient` of `pg`, or the `sql` of a transaction of postgres.js. */
export type TransactionOf<Client> = Client extends {
  /** Lends a connection. */
  connect: {
    /** As a promise. */
    (): Promise<infer Lent>;
    /** To a callback. */
    (callback: (...args: never[]) => void): void;
  };
}
  ? Lent
  : Client extends {
        /** Lends a connection. */
        connect(): Promise<infer Lent>;
      }
    ? Lent
    : Client extends {
          /** Runs a transaction. */
          begin: {
            (work: (sql: infer Sql) => unknown): unknown;
            (options: string, work: (sql: never) => unknown): unknown;
          };
        }
      ? Sql
      : PostgresUnsafe;

export function isPostgresSql(client: unknown): client is PostgresSql {
  const { unsafe, listen, begin } = client as Partial<PostgresSql>;
  return [unsafe, listen, begin].every((method) => typeof method === 'function');
}

export function isPgPool(client: unknown): client is PgPool {
  const { query, connect } = client as Partial<PgPool>;
  return typeof query === 'function' && typeof connect === 'function';
}
