import { createRunControl } from 'runfence';
import { redis } from 'runfence/redis';
import { expect } from 'vitest';
import type { ClientName } from './clients.js';
import { eventually, LEASE_MS, report, type Stage, staged, until } from './stage.js';

/** Scenarios of the conformance suite that reach into the server, or part it from a machine. */

const KEY = 'session';
/** The listening connection is looked after with each renewal, of which there are three in it. */
const LONG_LEASE_MS = 15_000;

/** The server is killed and restarted, with its log and without. */
export async function serverRestarts(client: ClientName): Promise<void> {
  for (const args of [[], ['--appendonly', 'yes', '--appendfsync', 'always']]) {
    await staged(client, async (stage) => {
      const server = await stage.server(...args);
      const here = await stage.machine(server.port);
      const run = await stage.begin(here, { sessionKey: KEY });
      const grant = await here.control.locks.acquire(KEY, { holder: run });
      await server.kill();
      await server.start();
      const isKept = args.length > 0;
      const ms = await until('the truth is known', async () => {
        await here.backend.readStops();
        return isKept
          ? here.backend.check({
              sessionKey: KEY,
              run: { runId: run.id, generation: run.generation },
              token: undefined,
            })
          : !run.isCurrent();
      });
      if (isKept) {
        await expect(grant.commit(({ token }) => token)).resolves.toBe(grant.token);
        grant.release();
      } else expect(run.reason).toBe('heartbeat-lost');
      const next = await eventually('a run begins', () => stage.begin(here, { sessionKey: KEY }));
      const other = await eventually('the lock is granted', () => here.control.locks.acquire(KEY, { holder: next }));
      expect(next.generation).toBeGreaterThan(grant.token);
      expect(other.token).toBeGreaterThan(next.generation);
      report(`${client}: kill -9 and restart ${isKept ? 'with' : 'without'} its log`, { 'right after': ms });
    });
  }
}

/** A replica that has not received everything takes over. */
export async function failoverLosesWrites(client: ClientName): Promise<void> {
  await staged(client, async (stage) => {
    const primary = await stage.server();
    const link = await stage.link(primary.port);
    const replica = await stage.server('--replicaof', '127.0.0.1', `${link.port}`);
    const admin = await stage.direct(replica.port);
    const [here, there] = [await stage.machine(primary.port), await stage.machine(primary.port)];
    const kept = await stage.begin(here, { sessionKey: 'kept' });
    const grant = await here.control.locks.acquire('kept', { holder: kept });
    await until('it is replicated', async () => (await admin.command('EXISTS', `${stage.keys}s:kept`)) === 1);
    // From now on nothing is received.
    await link.set('hole');
    const lost = await stage.begin(there, { sessionKey: 'lost' });
    const token = (await there.control.locks.acquire('lost', { holder: lost })).token;
    const receipt = await there.control.abort({ runId: kept.id });
    expect(receipt.result).toBe('aborted');
    const numbers = new Set([kept.generation, grant.token, lost.generation, token]);
    const highest = Math.max(...numbers);
    const seen = (await there.backend.readSession({ sessionKey: 'kept', nodeId: 'n', watch: false })).version;
    await primary.kill();
    const start = performance.now();
    await eventually('it takes over', () => admin.command('REPLICAOF', 'NO', 'ONE'));
    for (const { proxy } of [here, there]) await proxy.moveTo(replica.port);
    await until('what was lost is cut', () => !lost.isCurrent());
    expect(lost.reason).toBe('heartbeat-lost');
    await until('the run that was stopped is stopped again', async () => {
      const run = await there.backend.readRun({ runId: kept.id, sessionKey: 'kept', nodeId: 'n', watch: false });
      return run?.status !== 'running' && !kept.isCurrent();
    });
    const ms = performance.now() - start;
    const record = await there.backend.readSession({ sessionKey: 'kept', nodeId: 'n', watch: false });
    expect(record.version).toBeGreaterThan(seen);
    expect(
      (await there.backend.readSession({ sessionKey: 'lost', nodeId: 'n', watch: false })).version,
    ).toBeGreaterThan(highest);
    kept.complete();
    for (const sessionKey of ['kept', 'lost']) {
      const next = await eventually('a run begins', () => stage.begin(there, { sessionKey }));
      expect(next.generation).toBeGreaterThan(highest);
      expect(numbers.has(next.generation)).toBe(false);
      numbers.add(next.generation);
    }
    report(`${client}: failover with lost writes`, { 'right after': ms });
  });
}

/** The way to the server is gone: silently, and with an error. */
export async function leaseNotRenewed(client: ClientName): Promise<void> {
  for (const way of ['hole', 'refused'] as const) {
    await staged(client, async (stage) => {
      const server = await stage.server();
      const [here, there] = [await stage.machine(server.port), await stage.machine(server.port)];
      const run = await stage.begin(here, { sessionKey: KEY });
      const grant = await here.control.locks.acquire(KEY, { holder: run });
      const start = performance.now();
      await here.proxy.set(way);
      let cutAt = 0;
      run.signal.addEventListener('abort', () => {
        cutAt = performance.now() - start;
      });
      const next = await there.control.locks.acquire(KEY);
      const letInAt = performance.now() - start;
      expect([run.isCurrent(), grant.isHeld(), run.reason]).toEqual([false, false, 'heartbeat-lost']);
      expect(cutAt).toBeGreaterThan(0);
      expect(cutAt).toBeLessThan(letInAt);
      expect(next.token).toBeGreaterThan(grant.token);
      next.release();
      await here.proxy.set('open');
      const healedAt = performance.now();
      const again = await eventually('it works again', () => stage.begin(here, { sessionKey: 'another' }));
      report(`${client}: partition (${way})`, {
        'cut after': cutAt,
        'other let in after': letInAt,
        'healed after': performance.now() - healedAt,
      });
      expect(again.isCurrent()).toBe(true);
      run.complete();
      await until('nothing of it is left', async () => {
        const record = await there.backend.readSession({ sessionKey: KEY, nodeId: 'n', watch: false });
        return record.runs.length === 0 && record.holder === undefined;
      });
    });
  }
}

/** A node with a short lease of its own takes nothing from one with a long one. */
export async function leaseIsItsOwners(client: ClientName): Promise<void> {
  await staged(client, async (stage) => {
    const server = await stage.server();
    const here = await stage.machine(server.port, { leaseMs: 4_000 });
    const there = await stage.machine(server.port, { leaseMs: 1_000 });
    const run = await stage.begin(here, { sessionKey: KEY });
    const grant = await here.control.locks.acquire(KEY, { holder: run });
    await here.proxy.set('hole');
    const start = performance.now();
    await expect(there.control.locks.acquire(KEY, { timeoutMs: 2_000 })).rejects.toMatchObject({
      code: 'LOCK_TIMEOUT',
    });
    const next = await there.control.locks.acquire(KEY);
    expect(performance.now() - start).toBeGreaterThan(2_500);
    expect(next.token).toBeGreaterThan(grant.token);
    expect(run.isCurrent()).toBe(false);
    next.release();
    await here.proxy.set('open');
  });
}

/** The server kills the connections on which is listened, over and over, and a stop comes at that moment. */
export async function connectionKilled(client: ClientName): Promise<void> {
  await staged(client, async (stage) => {
    const server = await stage.server();
    const admin = await stage.direct(server.port);
    const [here, there] = [await stage.machine(server.port), await stage.machine(server.port)];
    const times: number[] = [];
    for (let turn = 0; turn < 20; turn++) {
      const run = await stage.begin(here, { sessionKey: KEY });
      // Twice in a row every other time: the second hits it while it connects again.
      for (let kill = 0; kill <= turn % 2; kill++) await admin.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      const start = performance.now();
      await there.control.abort({ runId: run.id });
      await until('it hears the stop', () => !run.isCurrent());
      expect(run.reason).toBe('user');
      times.push(performance.now() - start);
      run.complete();
    }
    report(`${client}: the listening connection is killed at a stop`, {
      missed: '0 of 20',
      'heard after at most': Math.max(...times),
    });
  });
}

/** The listening connection is half open: nothing comes, and nothing says so. */
export async function connectionHalfOpen(client: ClientName): Promise<void> {
  await staged(client, async (stage) => {
    const server = await stage.server();
    const [here, there] = [
      await stage.machine(server.port, { leaseMs: LONG_LEASE_MS }),
      await stage.machine(server.port, { leaseMs: LONG_LEASE_MS }),
    ];
    const run = await stage.begin(here, { sessionKey: KEY });
    expect(here.proxy.holeOf(/subscribe/i)).toBe(1);
    await there.control.abort({ runId: run.id });
    const ms = await until('it hears the stop', () => !run.isCurrent());
    expect(run.reason).toBe('user');
    await until('it listens again', async () => (await here.backend.health()).isListening);
    report(`${client}: half-open connection, lease ${LONG_LEASE_MS / 1_000} s`, { 'stop heard after': ms });
  });
}

/** The server is there, and cannot. */
export async function storeBroken(client: ClientName): Promise<void> {
  const faults: Readonly<Record<string, (stage: Stage, port: number) => Promise<() => Promise<unknown>>>> = {
    'out of memory': async (stage, port) => {
      const admin = await stage.direct(port);
      await admin.command('CONFIG', 'SET', 'maxmemory', '1mb');
      return () => admin.command('CONFIG', 'SET', 'maxmemory', '0');
    },
    'too few replicas': async (stage, port) => {
      const admin = await stage.direct(port);
      await admin.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
      return () => admin.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
    },
    'read-only': async (stage, port) => {
      const other = await stage.server();
      const admin = await stage.direct(port);
      const second = await stage.direct(other.port);
      await second.command('REPLICAOF', '127.0.0.1', `${port}`);
      await until('it has all', async () =>
        String(await second.command('INFO', 'replication')).includes('master_link_status:up'),
      );
      await second.command('REPLICAOF', 'NO', 'ONE');
      await admin.command('REPLICAOF', '127.0.0.1', `${other.port}`);
      return () => admin.command('REPLICAOF', 'NO', 'ONE');
    },
  };
  for (const [name, cause] of Object.entries(faults)) {
    await staged(client, async (stage) => {
      const server = await stage.server();
      const here = await stage.machine(server.port, { leaseMs: 15_000 });
      const run = await stage.begin(here, { sessionKey: KEY });
      const grant = await here.control.locks.acquire(KEY, { holder: run });
      const heal = await cause(stage, server.port);
      await expect(stage.begin(here, { sessionKey: 'other' }), name).rejects.toMatchObject({
        code: 'BACKEND_UNAVAILABLE',
      });
      expect([run.isCurrent(), grant.isHeld()]).toEqual([true, true]);
      if (name === 'out of memory') {
        grant.release();
        run.complete();
        await until('what is given up goes through', async () => {
          const { runs, holder } = await here.backend.readSession({ sessionKey: KEY, nodeId: 'n', watch: false });
          return runs.length === 0 && holder === undefined;
        });
      }
      await heal();
      const next = await eventually('it works again', () => stage.begin(here, { sessionKey: 'other' }));
      expect(next.generation).toBeGreaterThan(grant.token);
      const record = await here.backend.readSession({ sessionKey: 'other', nodeId: 'n', watch: false });
      expect(record.runs.map(({ runId }) => runId)).toEqual([next.id]);
    });
  }
}

/** The first request comes before the server. */
export async function serverIsLate(client: ClientName): Promise<void> {
  await staged(client, async (stage) => {
    const server = await stage.server();
    const here = await stage.machine(server.port);
    await here.proxy.set('refused');
    const backend = redis(here.host.client, { prefix: stage.prefix, leaseMs: LEASE_MS });
    const control = createRunControl({ backend, defaults: { backendTimeoutMs: 500 } });
    await expect(control.runs.begin({ sessionKey: KEY })).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    await here.proxy.set('open');
    const outcome = await eventually('it works', () => control.run({ sessionKey: KEY }, async () => 1));
    expect(outcome).toMatchObject({ status: 'completed', value: 1 });
    await control.drain();
  });
}
