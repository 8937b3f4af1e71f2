import { createRunControl } from 'runfence';
import type { Backend, Notices, StoredRun } from 'runfence/backend';
import type { Postgres } from 'runfence/postgres';
import { afterAll, beforeEach, expect, inject, test } from 'vitest';
import { times } from '../support/proofs.js';
import { type Host, hostOf } from './support/clients.js';
import { newSchema } from './support/schemas.js';
import { begun, later, report, until } from './support/stage.js';

/** The leases of those who sweep: they do so about once a lease. */
const SWEEP_MS = 1_000;
const SWEEPERS = 4;
const RUNS = times(100, 1_000);

const url = inject('postgresUrl');
const schemas: string[] = [];
let schema: string;
let host: Host;

beforeEach(async () => {
  schema = newSchema();
  schemas.push(schema);
  host ??= hostOf('pg', url, schema, 20);
  await host.backend({ schema }).migrate();
  await host.query(`update ${schema}.lifetime set since = '-infinity'`);
});

afterAll(async () => {
  for (const one of schemas) await host.query(`drop schema ${one} cascade`);
  await host.close();
});

/** What a dead process leaves: a lease that ended long ago and is not renewed. */
async function leftBehind(count: number): Promise<void> {
  await host.query(`insert into ${schema}.process values ('dead', '', now() - interval '1 hour', 1000)`);
  await host.query(`insert into ${schema}.run
    select ${schema}.digest('r' || i), 'r' || i, ${schema}.digest('s' || i), 's' || i, nextval('${schema}.number'), 'gone', 'dead', i,
      '{"kind": "chat", "tags": [], "graceMs": 5000}', 0, 'running', null, null, null, null, false, null, null, null
    from generate_series(1, ${count}) i`);
  await host.query(`insert into ${schema}.session
    select session, session_key, generation, 0, '[]', '[]', null from ${schema}.run`);
  await host.query(`insert into ${schema}.lock
    select session, nextval('${schema}.number'), run_id, node, beat, attempt, 0, false from ${schema}.run where attempt % 2 = 0`);
}

interface Listener {
  readonly backend: Postgres<unknown>;
  readonly told: StoredRun[];
}

function listener(name: string, takesNote: boolean): Listener {
  const backend = host.backend({ schema, leaseMs: SWEEP_MS });
  const told: StoredRun[] = [];
  const notices: Notices = {
    changed: () => {},
    listed: () => {},
    gap: () => {},
    lost: () => {},
    orphaned: (runs, acknowledge) => {
      told.push(...runs);
      if (takesNote) acknowledge();
    },
  };
  const remove = backend.subscribe(name, notices);
  later(async () => {
    remove();
    await backend.close();
  });
  return { backend, told };
}

async function left(): Promise<{ live: number; orphans: number; processes: number; locks: number }> {
  const [row] = await host.query(`select
    (select count(*)::int from ${schema}.run where ended_at is null) as live,
    (select count(*)::int from ${schema}.orphan) as orphans,
    (select count(*)::int from ${schema}.process where beat = 'dead') as processes,
    (select count(*)::int from ${schema}.lock) as locks`);
  return row as { live: number; orphans: number; processes: number; locks: number };
}

test(`${RUNS} runs of a dead process are ended by ${SWEEPERS} others without a contender, each told once`, async () => {
  await leftBehind(RUNS);
  const sweepers = Array.from({ length: SWEEPERS }, (_, at) => listener(`sweeper-${at}`, true));
  const ms = await until(
    'all are ended and told',
    async () => {
      const { live, orphans, processes, locks } = await left();
      return live + orphans + processes + locks === 0;
    },
    30_000,
  );
  const told = sweepers.flatMap((sweeper) => sweeper.told);
  expect(told.map(({ runId }) => runId).sort()).toEqual(Array.from({ length: RUNS }, (_, at) => `r${at + 1}`).sort());
  for (const { status, reason } of told) expect([status, reason]).toEqual(['aborted', 'heartbeat-lost']);
  expect(await host.query(`select 1 from ${schema}.session`)).toEqual([]);
  report(`${RUNS} runs of a dead process, ${SWEEPERS} sweepers`, 'each told once', ms);
});

test('a sweeper that dies before it takes note: another one tells', async () => {
  await leftBehind(3);
  const first = listener('first', false);
  await until('it is told', () => first.told.length >= 3);
  // As if it were killed: its lease ends without having been given up.
  await host.query(`update ${schema}.orphan set by_beat = 'killed'`);
  const second = listener('second', true);
  const ms = await until('another one tells', () => new Set(second.told.map(({ runId }) => runId)).size === 3);
  await until('they are taken note of', async () => (await left()).orphans === 0);
  report('a sweeper that dies before it takes note', 'nothing', ms);
});

test('an orphan that nobody here wants to know of is told elsewhere', async () => {
  await leftBehind(2);
  const deaf = createRunControl({ backend: host.backend({ schema, leaseMs: SWEEP_MS }) as Backend });
  later(() => deaf.drain({ graceMs: 0 }));
  (await begun(deaf, { sessionKey: 'other' })).complete();
  await until('they are ended', async () => (await left()).live === 0);
  const control = createRunControl({ backend: host.backend({ schema, leaseMs: SWEEP_MS }) as Backend });
  const heard: string[] = [];
  control.on('run:orphaned', ({ run }) => heard.push(run.runId));
  later(() => control.drain({ graceMs: 0 }));
  (await begun(control, { sessionKey: 'third' })).complete();
  await until('they are told', () => heard.length === 2);
  expect(heard.sort()).toEqual(['r1', 'r2']);
});

test('what nobody needs any more is dropped: retained runs, stops and interest of the dead', async () => {
  await host.query(`insert into ${schema}.run
    select ${schema}.digest('old' || i), 'old' || i, ${schema}.digest('s'), 's', i, 'gone', 'dead', i,
      '{"kind": "chat", "tags": [], "graceMs": 5000}', 0, 'completed', null, null, null, null, false, null, null, now() - interval '1 hour'
    from generate_series(1, 10) i`);
  await host.query(
    `insert into ${schema}.listed values (1, 'gone', 'dead', 1, '{"selector": {}, "reason": "user"}', null, now() - interval '1 hour')`,
  );
  await host.query(`insert into ${schema}.forgotten values ('gone', 1, 1, now() - interval '1 hour')`);
  await host.query(
    `insert into ${schema}.interest values (${schema}.digest('s'), 'dead', 'gone', 's', now() - interval '1 hour', null)`,
  );
  await host.query(`insert into ${schema}.session values (${schema}.digest('t'), 't', 5, 0, '[]',
    '[{"number": 5, "nodeId": "gone", "beat": "dead", "attempt": 1, "selector": {}, "reason": "user", "intent": false, "marked": [], "unmet": []}]',
    now() - interval '1 hour')`);
  listener('tidies', true);
  await until('all of it is gone', async () => {
    const [row] =
      await host.query(`select (select count(*)::int from ${schema}.run) + (select count(*)::int from ${schema}.listed)
      + (select count(*)::int from ${schema}.forgotten) + (select count(*)::int from ${schema}.interest)
      + (select count(*)::int from ${schema}.session) as count`);
    return row?.count === 0;
  });
});
