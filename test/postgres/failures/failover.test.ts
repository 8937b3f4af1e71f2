import { expect, inject, test } from 'vitest';
import { PostgresServer } from '../../support/servers/postgres.js';
import { TcpProxy } from '../../support/servers/proxy.js';
import { begun, later, nodeOn, report, until, witness } from '../support/stage.js';

const LEASE_MS = 20_000;

test('a failover to a standby that lagged behind: no number comes again, lost runs are cut, and a lost stop is sent again', async () => {
  const primary = await PostgresServer.start(inject('postgresTemplate'), ['wal_level=replica', 'max_wal_senders=4']);
  later(() => primary.remove());
  const before = witness(primary);
  const wire = await TcpProxy.start(primary.port);
  later(() => wire.close());
  const standby = await primary.standby(wire.port);
  later(() => standby.remove());
  const proxy = await TcpProxy.start(primary.port);
  later(() => proxy.close());
  const here = nodeOn(proxy.port, { leaseMs: LEASE_MS });
  const there = nodeOn(proxy.port, { leaseMs: LEASE_MS });
  await here.backend.migrate();
  const kept = await begun(here.control, { sessionKey: 'kept' });
  const stopped = await begun(here.control, { sessionKey: 'stopped' });
  await until('the standby has it', async () => {
    const { rows } = await before.query('select 1 from pg_stat_replication where replay_lsn = pg_current_wal_lsn()');
    return rows.length === 1;
  });
  // From here on nothing reaches the standby.
  await wire.set('hole');
  const lost = await begun(here.control, { sessionKey: 'lost' });
  const numbers = [kept.generation, stopped.generation, lost.generation];
  for (let at = 0; at < 200; at++) {
    const run = await begun(there.control, { sessionKey: `later-${at % 7}` });
    numbers.push(run.generation);
    run.complete();
  }
  await there.control.abort({ sessionKey: 'stopped' });
  await until('the stop is heard', () => stopped.reason === 'user');
  const highest = Math.max(...numbers);
  const { rows } = await before.query('select version from runfence.session');
  const versions = rows.map(({ version }) => Number(version));
  await primary.kill();
  const start = performance.now();
  await standby.promote();
  await proxy.moveTo(standby.port);
  await until('the new primary is used', async () => {
    const begin = await there.control.runs.begin({ sessionKey: 'after' }).catch(() => undefined);
    if (begin?.status !== 'started') return false;
    numbers.push(begin.run.generation);
    begin.run.complete();
    return true;
  });
  const after = numbers.at(-1) as number;
  expect(after).toBeGreaterThan(Math.max(highest, ...versions));
  await until('the lost run is cut', () => lost.reason !== undefined);
  const ms = performance.now() - start;
  expect(lost.reason).toBe('heartbeat-lost');
  expect([kept.isCurrent(), kept.reason]).toEqual([true, undefined]);
  // The record that went back is newer than all that was answered, and what is true here is told to it.
  await until('the stop is in the record again', async () => {
    const { version, runs } = await here.backend.readSession({ sessionKey: 'stopped', nodeId: 'n', watch: false });
    return version > highest && runs.every(({ status }) => status === 'stopping');
  });
  expect(new Set(numbers).size).toBe(numbers.length);
  for (const run of [kept, stopped, lost]) run.complete();
  report('failover to a standby that lagged behind', '1 run, 200 ends, 1 stop that was sent again', ms);
});
