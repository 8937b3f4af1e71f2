import pg from 'pg';
import { createRunControl } from 'runfence';
import { type Postgres, postgres } from 'runfence/postgres';
import { makeTemplate, PostgresServer, postgresBinaries, removeFolder } from '../../test/support/servers/postgres.js';
import { type Figure, ratio } from '../harness/figure.js';
import { type Bench, check, type Row } from '../harness/row.js';
import { Cycles, growth, Hearing, heard, lifeOf, Rounds } from './cluster-cycles.js';

/** At most so many times the commit of one row. */
const BUDGETS = { claim: 1.6, lock: 2, unlock: 1.5, stop: 2.1, end: 1.8 } as const;
const LEASE_MS = 60_000;

async function measure(bench: Bench, url: string): Promise<Figure[]> {
  const pools: pg.Pool[] = [];
  const pool = (max: number): pg.Pool => {
    const made = new pg.Pool({ connectionString: url, max });
    pools.push(made);
    return made;
  };
  const host = pool(4);
  const backend = (): Postgres<pg.PoolClient> => postgres(pool(2), { leaseMs: LEASE_MS });
  const [own, other] = [postgres(host, { leaseMs: LEASE_MS }), backend()];
  await own.migrate();
  await host.query('create table notes (text text)');
  const insert = { name: 'insert', text: 'insert into notes values ($1)', values: ['x'] };
  const listener = new pg.Client({ connectionString: url });
  await listener.connect();
  await listener.query('listen floor');
  let arrived = (): void => {};
  listener.on('notification', () => arrived());
  const [node, stopper] = [new Cycles(own, 'own'), new Cycles(other, 'other')];
  const hears = new Hearing();
  const removers = [own.subscribe('own', hears), other.subscribe('other', new Hearing())];
  while ((await own.health()).notices !== 'listening') await new Promise((resolve) => setTimeout(resolve, 20));
  const rounds = new Rounds();
  await rounds.make(bench, 8, async () => {
    await rounds.time('insert', () => host.query(insert));
    await lifeOf(rounds, node);
    const hop = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    await rounds.time('hop', async () => {
      await host.query(insert);
      await Promise.all([hop, host.query({ name: 'notify', text: "select pg_notify('floor', 'x')" })]);
    });
    await heard(rounds, node, stopper, hears);
  });
  const control = createRunControl({ backend: own });
  const fenced = `with fence as materialized (select ${own.fenceCall('$2')} as holds) insert into notes select $1 from fence`;
  const outcome = await control.run({ sessionKey: 'fenced' }, (run) =>
    run.commit((context) => {
      const pass = own.fencePass(context);
      return rounds.make(bench, 8, async () => {
        await rounds.time('plain statement', () => host.query(insert));
        await rounds.time('fenced statement', () => host.query({ name: 'fenced', text: fenced, values: ['x', pass] }));
        const client = await host.connect();
        await rounds.time('plain transaction', async () => {
          await client.query('begin');
          await client.query(insert);
          await client.query('commit');
        });
        await rounds.time('fenced transaction', async () => {
          await client.query('begin');
          await client.query(insert);
          await own.fence(client, context);
          await client.query('commit');
        });
        client.release();
      });
    }),
  );
  check(outcome.status === 'completed', 'writes that are fenced');
  for (const remove of removers) remove();
  const floor = rounds.sample('insert', 'the commit of a row');
  const of = (name: string, peer: string, budget: number): Figure =>
    ratio(`a ${name}, fenced`, rounds.sample(`fenced ${name}`), rounds.sample(`plain ${name}`, peer), { budget });
  const figures = [
    ...Object.entries(BUDGETS).map(([what, budget]) => ratio(what, rounds.sample(what), floor, { budget })),
    ratio(
      'a stop that another node hears',
      rounds.sample('a stop that another node hears'),
      rounds.sample('hop', 'a row and its notice'),
    ),
    of('statement', 'the statement', 1.1),
    of('transaction', 'the transaction', 1.4),
    ...(await growth(bench, 64, backend)),
  ];
  await control.drain({ graceMs: 0 });
  await other.close();
  await listener.end();
  for (const one of pools) await one.end();
  return figures;
}

export const row: Row = {
  title: 'requests to Postgres, beside its floors',
  measure: async (bench) => {
    if (postgresBinaries() === undefined) {
      console.error('row postgres: not run, for want of a server (apt-get install postgresql)');
      return [];
    }
    const template = await makeTemplate();
    try {
      const server = await PostgresServer.start(template);
      try {
        return await measure(bench, server.url);
      } finally {
        await server.remove();
      }
    } finally {
      removeFolder(template);
    }
  },
};
