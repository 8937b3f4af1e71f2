import { expect, test } from 'vitest';
import { begun, LEASE_MS, nodeOn, ownServer, report, until, witness } from '../support/stage.js';

const KEY = 'session';

test('kill -9 of a server whose default is synchronous_commit=off: all that was answered is kept, and numbers go on', async () => {
  const server = await ownServer(['synchronous_commit=off', 'wal_writer_delay=10s']);
  const node = nodeOn(server.port, { leaseMs: 60_000, max: 8 });
  const answered: { readonly sessionKey: string; readonly runId: string; readonly generation: number }[] = [];
  let highest = 0;
  let isKilled = false;
  const claim = async (lane: number): Promise<void> => {
    for (let at = 0; !isKilled; at++) {
      const [sessionKey, runId] = [`s-${lane}-${at}`, `r-${lane}-${at}`];
      try {
        const answer = await node.backend.claim(claimOf(sessionKey, runId, lane * 1_000_000 + at));
        if (answer.kind === 'granted') answered.push({ sessionKey, runId, generation: answer.generation });
        highest = Math.max(highest, answer.version);
        if (at % 5 === 4) await node.backend.stopEverywhere(stopOf(lane * 1_000_000 + at));
      } catch {
        return;
      }
    }
  };
  const lanes = [0, 1, 2, 3].map(claim);
  await until('it works', () => answered.length > 100);
  await server.kill();
  isKilled = true;
  await Promise.all(lanes);
  const start = performance.now();
  await server.start();
  await until('the server answers', async () => (await node.backend.health()).ok);
  const kept = await node.backend.readActive();
  const ms = performance.now() - start;
  const ids = new Map(kept.map(({ runId, generation }) => [runId, generation]));
  const lost = answered.filter(({ runId, generation }) => ids.get(runId) !== generation);
  expect(lost).toEqual([]);
  const next = await node.backend.claim(claimOf('after', 'after', 9));
  expect(next.kind === 'granted' && next.generation > highest).toBe(true);
  report('kill -9, synchronous_commit=off', `0 of ${answered.length} claims`, ms);
});

test('a restart between claim and release: runs and locks are still there, nobody is buried, and a stop in the gap is found', async () => {
  const server = await ownServer();
  // Longer than a restart takes on a busy machine.
  const leaseMs = 30_000;
  const here = nodeOn(server.port, { leaseMs });
  const there = nodeOn(server.port, { leaseMs });
  const run = await begun(here.control, { sessionKey: KEY });
  const stopped = await begun(here.control, { sessionKey: 'stopped' });
  const grant = await here.control.locks.acquire(KEY, { holder: run });
  await server.kill();
  const start = performance.now();
  await server.start();
  await until('the stop is recorded', async () => {
    const receipt = await there.control.abort({ sessionKey: 'stopped' });
    return receipt.recorded === 'cluster' && !stopped.isCurrent();
  });
  await until('the owner works again', async () => grant.commit(() => true).catch(() => false));
  const ms = performance.now() - start;
  expect([run.isCurrent(), grant.isHeld(), stopped.reason]).toEqual([true, true, 'user']);
  await expect(there.control.locks.acquire(KEY, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
  grant.release();
  run.complete();
  stopped.complete();
  report('restart of the server', 'nothing', ms);
});

test('SIGSTOP of the server: nothing starts, and no call hangs; what nobody needed goes on', async () => {
  const server = await ownServer();
  const leaseMs = 60_000;
  const here = nodeOn(server.port, { leaseMs, control: { defaults: { backendTimeoutMs: 500 } } });
  const run = await begun(here.control, { sessionKey: KEY });
  await server.pause(true);
  const start = performance.now();
  await expect(here.control.runs.begin({ sessionKey: 'other' })).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  const tookMs = performance.now() - start;
  const receipt = await here.control.abort({ runId: run.id });
  expect([receipt.recorded, run.isCurrent()]).toEqual(['unreachable', false]);
  const resumedAt = performance.now();
  await server.pause(false);
  run.complete();
  await until('the stop is told', async () => (await active(here)) === 0);
  report(
    'SIGSTOP of the server',
    `a claim failed after ${Math.round(tookMs)} ms, a stop held here`,
    performance.now() - resumedAt,
  );
});

test('SIGSTOP of the server for longer than the lease: the process cuts its runs by itself', async () => {
  const server = await ownServer();
  const here = nodeOn(server.port);
  const run = await begun(here.control, { sessionKey: KEY });
  await server.pause(true);
  const ms = await until('the run is cut', () => run.reason !== undefined);
  expect(run.reason).toBe('heartbeat-lost');
  await server.pause(false);
  run.complete();
  await until('nothing is left', async () => (await active(here)) === 0);
  report('SIGSTOP of the server, longer than the lease', `the run, cut after ${Math.round(ms)} ms of ${LEASE_MS}`, ms);
});

test('a server that is not there at first: the first operation fails with what to do, and the next ones work once it is', async () => {
  const server = await ownServer();
  await server.kill();
  const here = nodeOn(server.port);
  await expect(here.control.runs.begin({ sessionKey: KEY })).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  expect(await here.backend.health()).toMatchObject({ ok: false });
  await server.start();
  const start = performance.now();
  const run = await begun(here.control, { sessionKey: KEY });
  report('the first connection fails', 'nothing', performance.now() - start);
  run.complete();
});

test('a schema that is not there, of a role that may not, and a standby say what to do', async () => {
  const server = await ownServer();
  const missing = nodeOn(server.port, { schema: 'not_there' });
  await expect(missing.backend.readActive()).rejects.toThrow(/call migrate\(\)/);
  const pool = witness(server);
  await pool.query("alter system set default_transaction_read_only = 'on'");
  await pool.query('select pg_reload_conf()');
  const readOnly = nodeOn(server.port);
  await until('it is read-only', async () => {
    try {
      await readOnly.backend.claim(claimOf(KEY, 'r', 1));
      return false;
    } catch (error) {
      return /standby, or read-only/.test(String(error));
    }
  });
});

/** How many runs are live; -1 if nobody says. */
async function active({ backend }: Pick<ReturnType<typeof nodeOn>, 'backend'>): Promise<number> {
  try {
    return (await backend.readActive()).length;
  } catch {
    return -1;
  }
}

function claimOf(
  sessionKey: string,
  runId: string,
  attempt: number,
): Parameters<ReturnType<typeof nodeOn>['backend']['claim']>[0] {
  return {
    ...{ sessionKey, runId, attempt, nodeId: 'n', seen: 0, isOwnId: true, kind: 'chat', owner: undefined, tags: [] },
    ...{
      fingerprint: undefined,
      graceMs: 5_000,
      hasEpilogue: false,
      mode: 'exclusive',
      whenQuiet: false,
      replaces: [],
    },
    ...{ beside: [], repeats: undefined, since: undefined, listSince: undefined, judged: 0 },
  };
}

function stopOf(attempt: number): Parameters<ReturnType<typeof nodeOn>['backend']['stopEverywhere']>[0] {
  return { nodeId: 'n', attempt, selector: { tag: 'none' }, requester: undefined, reason: 'user', number: undefined };
}
