import type { Backend } from 'runfence/backend';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Host, hostOf } from './support/clients.js';
import { endLease, makeLeasesEndable } from './support/leases.js';
import { newSchema } from './support/schemas.js';
import { until } from './support/stage.js';

const schema = newSchema();
let host: Host;

beforeAll(async () => {
  host = hostOf('pg', inject('postgresUrl'), schema);
  await host.backend().migrate();
  await makeLeasesEndable(host, schema);
});

afterAll(async () => {
  await host.query(`drop schema ${schema} cascade`);
  await host.close();
});

let attempts = 0;
async function lock(backend: Backend, nodeId: string, sessionKey: string): Promise<string> {
  attempts += 1;
  const about = { sessionKey, nodeId, seen: 0, run: undefined, reserved: undefined, since: 0 };
  return (await backend.lock({ ...about, attempt: attempts })).kind;
}

test('a lease is as long as its owner says: a node with a shorter one of its own does not take it away earlier', async () => {
  const [long, short] = [host.backend({ leaseMs: 3_600_000 }), host.backend({ leaseMs: 1_000 })];
  expect(await lock(long, 'long', 'session')).toBe('granted');
  // Its last renewal is as old as three leases of the other one.
  await host.query(`update ${schema}.process set until = until - interval '10 seconds' where lease_ms = 3600000`);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(await lock(short, 'short', 'session')).toBe('busy');
  await short.close();
  await long.close();
});

test('a process that was buried goes on under another name, and what it had is lost', async () => {
  const backend = host.backend({ leaseMs: 1_000 });
  const heard: string[] = [];
  const remove = backend.subscribe('buried', {
    changed: () => {},
    listed: () => {},
    gap: () => heard.push('gap'),
    lost: () => heard.push('lost'),
    orphaned: () => {},
  });
  expect(await lock(backend, 'buried', 'theirs')).toBe('granted');
  await host.query(`delete from ${schema}.process`);
  await until('it is told', () => heard.includes('lost'));
  const other = host.backend({ leaseMs: 60_000 });
  expect(await lock(other, 'other', 'theirs')).toBe('granted');
  await until('it works again', async () => {
    try {
      return (await lock(backend, 'buried', `anew ${attempts}`)) === 'granted';
    } catch {
      return false;
    }
  });
  remove();
  await backend.close();
  await other.close();
});

test('after a restart nobody is gone for the length of its lease', async () => {
  const [gone, other] = [host.backend({ leaseMs: 60_000 }), host.backend({ leaseMs: 60_000 })];
  expect(await lock(gone, 'gone', 'kept')).toBe('granted');
  await endLease(host, schema, `select beat from ${schema}.lock where node = 'gone'`, []);
  await host.query(`update ${schema}.lifetime set since = now()`);
  expect(await lock(other, 'other', 'kept')).toBe('busy');
  await host.query(`update ${schema}.lifetime set since = '-infinity'`);
  expect(await lock(other, 'other', 'kept')).toBe('granted');
  await gone.close();
  await other.close();
});
