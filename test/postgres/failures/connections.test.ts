import type { ClaimRequest, StopRequest } from 'runfence/backend';
import { expect, test } from 'vitest';
import { postgresSql } from '../support/clients.js';
import { begun, later, nodeOn, ownServer, proxyTo, report, until, witness } from '../support/stage.js';

const KEY = 'session';
/** Long ones: what is found is found by what is tested, and not by a renewal. */
const LEASE_MS = 60_000;
const CLIENTS = ['pg', 'postgres.js'] as const;

const LISTENERS = `select pid from pg_stat_activity where pid <> pg_backend_pid() and (query like 'listen %' or query like '%.renew(%')`;

test.each(CLIENTS)('the server kills the listening connection, and a stop falls into the gap (%s)', async (client) => {
  const server = await ownServer();
  const pool = witness(server);
  const here = nodeOn(server.port, { client, leaseMs: LEASE_MS });
  const there = nodeOn(server.port, { leaseMs: LEASE_MS, listen: false });
  const run = await begun(here.control, { sessionKey: KEY });
  await until('it hears', async () => (await here.backend.health()).notices === 'listening');
  const killed = await pool.query(`select pg_terminate_backend(pid) from (${LISTENERS}) as listening`);
  expect(killed.rowCount).toBeGreaterThan(0);
  const start = performance.now();
  await there.control.abort({ sessionKey: KEY });
  await until('the stop is found', () => run.reason === 'user');
  const ms = performance.now() - start;
  await until('it hears again', async () => (await here.backend.health()).notices === 'listening');
  run.complete();
  report(`pg_terminate_backend of the listener, ${client}`, 'nothing', ms);
});

test.each(CLIENTS)(
  'the server kills all connections while a run holds the lock: nothing is lost (%s)',
  async (client) => {
    const server = await ownServer();
    const pool = witness(server);
    const here = nodeOn(server.port, { client, leaseMs: LEASE_MS });
    const run = await begun(here.control, { sessionKey: KEY });
    const grant = await here.control.locks.acquire(KEY, { holder: run });
    await pool.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname is not null',
    );
    const start = performance.now();
    await grant.commit(() => {});
    const next = await begun(here.control, { sessionKey: 'other' });
    report(`pg_terminate_backend of all connections, ${client}`, 'nothing', performance.now() - start);
    expect([run.isCurrent(), next.isCurrent()]).toEqual([true, true]);
    next.complete();
    grant.release();
    run.complete();
  },
);

test('a listening connection that is half open is noticed, and a stop is found meanwhile', async () => {
  const server = await ownServer();
  const proxy = await proxyTo(server);
  const here = nodeOn(server.port, {
    leaseMs: 6_000,
    listen: `postgres://postgres@127.0.0.1:${proxy.port}/postgres`,
  });
  const there = nodeOn(server.port, { leaseMs: LEASE_MS });
  const run = await begun(here.control, { sessionKey: KEY });
  await until('it hears', async () => (await here.backend.health()).notices === 'listening');
  await proxy.set('hole');
  const start = performance.now();
  await there.control.abort({ sessionKey: KEY });
  const foundMs = await until('the stop is found', () => run.reason === 'user');
  await until('it is noticed', async () => (await here.backend.health()).notices === 'polling');
  const noticedMs = performance.now() - start;
  expect((await here.backend.health()).warnings).toHaveLength(1);
  await proxy.set('open');
  await until('it hears again', async () => (await here.backend.health()).notices === 'listening');
  run.complete();
  report('a half-open listener', `noticed after ${Math.round(noticedMs)} ms`, foundMs);
});

test('a pooler that swallows notices: a stop is found all the same, and health says so', async () => {
  const server = await ownServer();
  // What a pooler does: LISTEN is taken, and nothing arrives.
  const deaf = { connect: async () => {}, query: async () => ({ rows: [] }), end: async () => {}, on: () => {} };
  const here = nodeOn(server.port, { leaseMs: LEASE_MS, listen: () => deaf, prepare: false });
  const there = nodeOn(server.port, { leaseMs: LEASE_MS });
  const run = await begun(here.control, { sessionKey: KEY });
  const start = performance.now();
  await there.control.abort({ sessionKey: KEY });
  await until('the stop is found', () => run.reason === 'user');
  expect(await here.backend.health()).toMatchObject({ ok: true, notices: 'polling' });
  run.complete();
  report('notices that do not arrive', 'nothing', performance.now() - start);
});

test.each(CLIENTS)('an answer that is lost: the call is sent again, and gets its first answer (%s)', async (client) => {
  const server = await ownServer();
  const pool = witness(server);
  const proxy = await proxyTo(server);
  // Nothing but these calls is on the one connection behind the proxy.
  const sql = postgresSql(server.url, 1);
  later(() => sql.end({ timeout: 1 }));
  const listen = client === 'pg' ? server.url : sql;
  const { backend } = nodeOn(proxy.port, { client, leaseMs: LEASE_MS, listen, max: 1 });
  const about = { nodeId: 'n', seen: 0 };
  const claim = { ...CLAIM, sessionKey: KEY, runId: 'r' };
  const versionOf = async (): Promise<number> =>
    Number((await pool.query("select version from runfence.session where key = 'session'")).rows[0]?.version ?? 0);
  let warmed = 0;
  /** On a new connection a statement is prepared first: the client waits for that answer, and has executed nothing yet. */
  const warm = async (): Promise<void> => {
    warmed += 1;
    const sessionKey = `warm ${warmed}`;
    await backend.claim({ ...CLAIM, sessionKey, runId: sessionKey, attempt: 100 + warmed });
    await backend.lock({ ...about, sessionKey, run: undefined, attempt: 100 + warmed, reserved: undefined, since: 0 });
    await backend.stop({ ...stopOf(sessionKey), attempt: 100 + warmed });
  };
  await until('it hears', async () => (await backend.health()).notices === 'listening');
  /** Its answer stays in the proxy, and the connection breaks once it has taken effect. */
  const withLostAnswer = async <T>(call: () => Promise<T>): Promise<{ answer: T; version: number }> => {
    await warm();
    const before = await versionOf();
    await proxy.set('deaf');
    const asked = call();
    await until('it has taken effect', async () => (await versionOf()) > before);
    const version = await versionOf();
    await proxy.set('open');
    return { answer: await asked, version };
  };
  const claimed = await withLostAnswer(async () => backend.claim(claim));
  expect(claimed.answer).toMatchObject({ kind: 'granted', generation: claimed.version });
  const locked = await withLostAnswer(async () =>
    backend.lock({ ...about, sessionKey: KEY, run: undefined, attempt: 1, reserved: undefined, since: 0 }),
  );
  expect(locked.answer).toMatchObject({ kind: 'granted', token: locked.version });
  const stopped = await withLostAnswer(async () => backend.stop(stopOf(KEY)));
  expect(stopped.answer).toMatchObject({ number: stopped.version, runs: [{ runId: 'r', found: 'stopped' }] });
  // Nothing was done twice.
  expect(await versionOf()).toBe(stopped.version);
  report(`answers lost, ${client}`, 'nothing', 0);
});

function stopOf(sessionKey: string): StopRequest {
  const selector = { sessionKey };
  return {
    ...{ sessionKey, nodeId: 'n', seen: 0, attempt: 1, reason: 'user', runs: [], select: selector, number: undefined },
    ...{ named: [], record: { selector, requester: undefined, intent: false } },
  };
}

const CLAIM: Omit<ClaimRequest, 'sessionKey' | 'runId'> = {
  ...{ nodeId: 'n', seen: 0, isOwnId: true, attempt: 1, kind: 'chat', owner: undefined, tags: [] },
  ...{ fingerprint: undefined, graceMs: 5_000, hasEpilogue: false, mode: 'exclusive', whenQuiet: false },
  ...{ replaces: [], beside: [], repeats: undefined, since: undefined, listSince: undefined, judged: 0 },
};
