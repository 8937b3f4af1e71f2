import type { Backend } from '../backend/index.js';
import type { Awaitable, CommitContext } from '../index.js';
import { PostgresBackend } from './backend.js';
import { Calls } from './calls.js';
import {
  isPostgresSql,
  type PgListener,
  type PgPool,
  type PostgresClient,
  type PostgresSql,
  type TransactionOf,
} from './clients.js';
import { explained } from './failures.js';
import { type Committing, Fence, type FenceContext, type TransactionOptions } from './fence.js';
import { healthOf, type PostgresHealth } from './health.js';
import { migrate, SCHEMA } from './migrate.js';
import type { MigrationOptions } from './migration.js';
import { checkClient, checkLease, checkNames, checkSchema, invalid } from './options.js';
import { type PgListen, PgWire } from './pg-wire.js';
import { PostgresJsWire } from './postgres-js-wire.js';
import type { Wire } from './wire.js';

/** How `postgres()` uses the database. */
export interface PostgresOptions {
  /** The schema that `migrate()` has made; `'runfence'` by default. Servers that are given the same one share its sessions. */
  readonly schema?: string | undefined;
  /**
   * How long the lease of this process is, in ms; 15 000 by default, at least 1 000. So long it may be paused or out of
   * reach before others may take from it what they need. The others go by this process's value, whatever their own is.
   */
  readonly leaseMs?: number | undefined;
  /**
   * Where notices are listened for. Behind a pooler it has to be a direct connection: with `pg` its configuration, its
   * URL, or a function that makes a `Client`; with postgres.js another `sql`. `false`: nowhere, and changes are looked
   * for four times a second. By default a connection beside the pool, with the pool's own configuration.
   */
  readonly listen?: false | string | object | (() => PgListener) | PostgresSql | undefined;
  /** Whether statements are prepared, `true` by default. `false` for a pooler that lends connections by the transaction. */
  readonly prepare?: boolean | undefined;
}

/** A backend in Postgres, and what it can do besides. */
export interface Postgres<Transaction> extends Backend {
  /**
   * Makes the schema, or brings it to the version that this runfence needs. Call it at each start or in your own
   * migrations: it may be called twice, and by several servers at once.
   *
   * @param options - `grantTo`, a role that may then use the schema and change nothing of it
   * @throws `BACKEND_UNAVAILABLE` for a schema of a newer runfence, or an answer that did not come
   */
  migrate(options?: MigrationOptions): Promise<void>;
  /**
   * The last statement of a transaction of your own. If it resolves and the commit succeeds, the lock was held with this
   * token at the commit: whoever is granted it later comes after your writes. If it rejects, the transaction cannot
   * commit any more.
   *
   * @param client - the client of the transaction: a `Client` of `pg`, or the `sql` that `begin` of postgres.js gives
   * @param context - what the section of a commit gets, or `{ sessionKey, token }` of an epilogue
   * @throws `LOCK_LOST` if the run was stopped or the lock was taken; also in a transaction of REPEATABLE READ or
   *   SERIALIZABLE in which it was taken since the first statement
   */
  fence(client: object, context: FenceContext): Promise<void>;
  /**
   * A transaction under the session's lock, with the fence as its last statement.
   *
   * @param run - a run, or a grant
   * @param work - gets the client of the transaction; it is called once
   * @param options - `isolation`
   * @returns what `work` returns, once it is committed
   * @throws `LOCK_LOST`, and what `commit` of a run throws, and what `work` and the database do: then nothing is written
   */
  transaction<T>(
    run: Committing,
    work: (client: Transaction, context: CommitContext) => Awaitable<T>,
    options?: TransactionOptions,
  ): Promise<T>;
  /**
   * The fence as a part of a statement, for writes that are one statement: it is true, or the statement fails.
   *
   * @param placeholder - where the statement has `fencePass(context)`, such as `'$3'`
   */
  fenceCall(placeholder: string): string;
  /**
   * The parameter of `fenceCall`.
   *
   * @param context - as for `fence`
   */
  fencePass(context: FenceContext): string;
  /** Asks the server how it is. It does not reject. */
  health(): Promise<PostgresHealth>;
}

const LEASE_MS = 15_000;
const OPTIONS: readonly string[] = ['schema', 'leaseMs', 'listen', 'prepare'];

/**
 * The backend for several hosts, on a Postgres of version 14 or newer.
 *
 * @param client - a `Pool` of `pg` or the `sql` of postgres.js; it stays yours, and is not closed
 * @param options - `schema`, `leaseMs`, `listen`, `prepare`
 * @returns the backend, with `migrate`, the fence for your own transactions, and `health`
 * @throws `INVALID_OPTIONS` for an unknown name, a wrong type, or a schema that cannot be one
 */
export function postgres<Client extends PostgresClient>(
  client: Client,
  options: PostgresOptions = {},
): Postgres<TransactionOf<Client>> {
  checkClient(client);
  checkNames('postgres', options, OPTIONS);
  const { schema = SCHEMA, leaseMs = LEASE_MS, prepare = true, listen } = options;
  checkSchema(schema);
  checkLease(leaseMs);
  if (typeof prepare !== 'boolean') throw invalid('prepare must be true or false.');
  const wire = wireOf(client, listen, prepare);
  return new PostgresStore(wire, schema, leaseMs);
}

function wireOf(client: PostgresClient, listen: PostgresOptions['listen'], isPreparing: boolean): Wire {
  if (!isPostgresSql(client)) {
    const isKnown =
      listen === undefined || listen === false || ['string', 'object', 'function'].includes(typeof listen);
    if (!isKnown || listen === null || (typeof listen === 'function' && isPostgresSql(listen))) {
      throw invalid('listen must be a URL or configuration of pg, a function that makes a Client, or false.');
    }
    const isConfiguration = typeof listen === 'string' || typeof listen === 'object';
    if (isConfiguration && (client as { Client?: unknown }).Client === undefined) {
      throw invalid('listen must be a function that makes a Client: this pool does not say what its clients are.');
    }
    return new PgWire(client as PgPool, listen as PgListen | undefined, isPreparing);
  }
  if (listen === undefined) return new PostgresJsWire(client, client, isPreparing);
  if (listen === false) return new PostgresJsWire(client, undefined, isPreparing);
  if (typeof listen === 'string' || listen === null || !isPostgresSql(listen)) {
    throw invalid('listen must be another sql of postgres.js, or false.');
  }
  return new PostgresJsWire(client, listen, isPreparing);
}

class PostgresStore<Transaction> extends PostgresBackend implements Postgres<Transaction> {
  readonly #wire: Wire;
  readonly #schema: string;
  readonly #fence: Fence;

  constructor(wire: Wire, schema: string, leaseMs: number) {
    super(wire, new Calls(wire, schema), leaseMs);
    this.#wire = wire;
    this.#schema = schema;
    this.#fence = new Fence(wire, schema);
  }

  migrate(options: MigrationOptions = {}): Promise<void> {
    return migrate(this.#wire, this.#schema, options);
  }

  fence(client: object, context: FenceContext): Promise<void> {
    return this.#fence.check(client, context);
  }

  transaction<T>(
    run: Committing,
    work: (client: Transaction, context: CommitContext) => Awaitable<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    return this.#fence.transaction(run, work as (client: never, context: CommitContext) => Awaitable<T>, options);
  }

  fenceCall(placeholder: string): string {
    return this.#fence.callText(placeholder);
  }

  fencePass(context: FenceContext): string {
    return this.#fence.pass(context);
  }

  health(): Promise<PostgresHealth> {
    return healthOf(this.#wire, this.#schema, this.state, (error) => explained(error, this.#schema));
  }
}
