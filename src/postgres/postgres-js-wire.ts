import type { PostgresSql, PostgresUnsafe } from './clients.js';
import { BOUNDED, type Call, type Heard, ISOLATED, type Listening, type Wire } from './wire.js';

/** Rows of columns as they came, whatever parsers and transforms the host has set. */
interface Raw {
  raw(): PromiseLike<readonly (readonly (Uint8Array | null)[])[]>;
  simple(): PromiseLike<unknown>;
}

/** The time in which a call waits for a connection counts, other than with `pg`. */
const PATIENCE = 3;

export class PostgresJsWire implements Wire {
  readonly kind = 'postgres.js';
  readonly #sql: PostgresSql;
  readonly #listenSql: PostgresSql | undefined;
  readonly #isPreparing: boolean;

  constructor(sql: PostgresSql, listenSql: PostgresSql | undefined, isPreparing: boolean) {
    this.#sql = sql;
    this.#listenSql = listenSql;
    this.#isPreparing = isPreparing;
  }

  call(call: Call): Promise<string | null> {
    return within(PATIENCE * call.timeoutMs, this.#ask(this.#sql, call));
  }

  callIsolated(call: Call): Promise<string | null> {
    const answer = this.#sql.begin(ISOLATED, async (sql) => {
      await sql.unsafe(BOUNDED);
      return this.#ask(sql, call);
    });
    return within(PATIENCE * call.timeoutMs, answer as Promise<string | null>);
  }

  async migrate(lock: string, version: string, steps: (version: number) => string): Promise<number> {
    const migrated = this.#sql.begin(ISOLATED, async (sql) => {
      await simple(sql, lock);
      const found = Number(await this.#ask(sql, { name: undefined, text: version, values: [], timeoutMs: 0 }));
      await simple(sql, steps(found));
      return found;
    });
    return migrated as Promise<number>;
  }

  transact(
    options: string,
    work: (client: unknown) => unknown,
    last: (client: unknown) => Promise<void>,
  ): Promise<unknown> {
    return this.#sql.begin(options, async (sql) => {
      const value = await work(sql);
      await last(sql);
      return value;
    });
  }

  /** Its listening connection comes back by itself, mostly. */
  listen(channel: string, heard: Heard): Promise<Listening> | undefined {
    const sql = this.#listenSql;
    if (sql === undefined) return undefined;
    const begin = async (): Promise<Listening> => {
      let isFirst = true;
      const listening = (): void => {
        if (!isFirst) heard.again();
        isFirst = false;
      };
      const { unlisten } = await sql.listen(channel, (payload) => heard.notice(payload), listening);
      return { call: undefined, close: async () => void (await within(1_000, unlisten()).catch(() => {})) };
    };
    return begin();
  }

  async #ask(sql: PostgresUnsafe, { name, text, values }: Call): Promise<string | null> {
    const asked = sql.unsafe(text, [...values] as never[], {
      prepare: this.#isPreparing && name !== undefined,
    }) as unknown as Raw;
    const bytes = (await asked.raw())[0]?.[0];
    return bytes === null || bytes === undefined ? null : new TextDecoder().decode(bytes);
  }
}

/** Several statements at once. */
function simple(sql: PostgresUnsafe, text: string): PromiseLike<unknown> {
  return (sql.unsafe(text) as unknown as Raw).simple();
}

/** It has no bound of its own, and does not give up a connection. */
function within<T>(ms: number, answer: PromiseLike<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
    answer.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
