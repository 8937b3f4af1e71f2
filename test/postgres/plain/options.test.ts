import { migrationSql, type PostgresOptions, postgres } from 'runfence/postgres';
import { describe, expect, test } from 'vitest';

const pool = { query: async () => ({ rows: [] }), connect: async () => ({ ...pool, release: () => {} }) };
const INVALID = expect.objectContaining({ code: 'INVALID_OPTIONS' });

describe('what postgres() is given', () => {
  test.each([undefined, null, {}, 'postgres://', { query: () => {} }])(
    'a client that is none is refused: %j',
    (client) => {
      expect(() => postgres(client as never)).toThrow(INVALID);
    },
  );

  test.each([
    { schem: 'x' },
    { schema: '' },
    { schema: 'public' },
    { schema: 'pg_mine' },
    { schema: 'Upper' },
    { schema: 'x"; drop schema y; --' },
    { schema: 'x'.repeat(64) },
    { leaseMs: 999 },
    { leaseMs: Number.NaN },
    { leaseMs: '15000' },
    { listen: 5 },
    { listen: null },
    { listen: 'postgres://elsewhere' },
    { prepare: 'no' },
  ])('an option that is none is refused: %j', (options) => {
    expect(() => postgres(pool, options as PostgresOptions)).toThrow(INVALID);
  });

  test.each([{ schema: 'no' + 'pe-' }, { grantTo: '' }, { grantTo: 'a\0b' }, { role: 'app' }])(
    'migrationSql refuses %j',
    (options) => {
      expect(() => migrationSql(options as object)).toThrow(INVALID);
    },
  );

  test('a role is quoted, whatever it is called', () => {
    expect(migrationSql({ grantTo: 'o"reilly' })).toContain('grant usage on schema "runfence" to "o""reilly"');
  });

  test('a backend that nobody has used has nothing to end, and is closed twice', async () => {
    const store = postgres(pool);
    expect(store.aliveUntil?.()).toBe(Number.POSITIVE_INFINITY);
    await store.close();
    await store.close();
  });
});
