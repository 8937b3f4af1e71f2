import { type Awaitable, type CommitContext, RunfenceError } from '../index.js';
import type { PgQueryable, PostgresUnsafe } from './clients.js';
import { FENCED_OUT, SERIALIZATION, sqlStateOf } from './failures.js';
import { quoted } from './migration.js';
import { invalid } from './options.js';
import { toJson } from './text.js';
import type { Wire } from './wire.js';

/** What a write is fenced with. The section of a commit gets it; an epilogue has its run's `sessionKey` and its `token`. */
export interface FenceContext {
  /** Whose lock it is. */
  readonly sessionKey: string;
  /** The number of the grant. */
  readonly token: number;
  /** The generation of the run that holds it; 0 or absent without one. */
  readonly generation?: number | undefined;
}

/** Who gives the lock for a transaction: a run, or a grant. */
export interface Committing {
  /** Runs a section under the lock. */
  commit<T>(section: (context: CommitContext) => Awaitable<T>): Promise<T>;
}

/** How a transaction runs. */
export interface TransactionOptions {
  /** `'read committed'` by default. In the other two a stop that comes after the first statement is not seen; a takeover is. */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable' | undefined;
}

const ISOLATIONS: readonly unknown[] = ['read committed', 'repeatable read', 'serializable'];

/** Lets nothing commit that a stale run has written. */
export class Fence {
  readonly #wire: Wire;
  readonly #name: string;

  constructor(wire: Wire, schema: string) {
    this.#wire = wire;
    this.#name = `${quoted(schema)}.fence`;
  }

  callText(placeholder: string): string {
    if (typeof placeholder !== 'string' || !/^(\$\d+|\?|:\w+|@\w+)$/.test(placeholder)) {
      throw invalid('fenceCall takes a placeholder such as "$1".');
    }
    return `${this.#name}(${placeholder}::text)`;
  }

  /** As one text, for the one parameter of the function. */
  pass({ sessionKey, token, generation }: FenceContext): string {
    if (typeof sessionKey !== 'string' || !Number.isSafeInteger(token)) {
      throw invalid('A fence needs the sessionKey and the token of a commit or an epilogue.');
    }
    return toJson([sessionKey, token, ...(generation === undefined || generation === 0 ? [] : [generation])]);
  }

  async check(client: unknown, context: FenceContext): Promise<void> {
    const [text, pass] = [`select ${this.callText('$1')}`, this.pass(context)];
    try {
      if (typeof (client as Partial<PostgresUnsafe>).unsafe === 'function') {
        await (client as PostgresUnsafe).unsafe(text, [pass] as never[]);
      } else if (typeof (client as Partial<PgQueryable> | null)?.query === 'function') {
        await (client as PgQueryable).query({ text, values: [pass] });
      } else {
        throw invalid(
          'fence takes the client of a transaction: a Client of pg, or the sql that begin of postgres.js gives.',
        );
      }
    } catch (error) {
      throw refusalOf(error);
    }
  }

  transaction<T>(
    run: Committing,
    work: (client: never, context: CommitContext) => Awaitable<T>,
    { isolation = 'read committed' }: TransactionOptions,
  ): Promise<T> {
    if (typeof work !== 'function') throw invalid('transaction takes a function, which gets the client.');
    if (!ISOLATIONS.includes(isolation)) throw invalid(`isolation must be one of ${ISOLATIONS.join(', ')}.`);
    return run.commit(
      (context) =>
        this.#wire.transact(
          `isolation level ${isolation} read write`,
          (client) => work(client as never, context),
          (client) => this.check(client, context),
        ) as Promise<T>,
    );
  }
}

/** A row that was changed since the transaction began is a lock that somebody else was granted. */
function refusalOf(error: unknown): unknown {
  const state = sqlStateOf(error);
  if (state !== FENCED_OUT && state !== SERIALIZATION) return error;
  return new RunfenceError(
    'LOCK_LOST',
    'The run was stopped, or the lock was granted to somebody else: this transaction does not commit. Roll it back.',
    { cause: error },
  );
}
