import { readFile } from 'node:fs/promises';
import type { ClaimRequest } from 'runfence/backend';
import { expect, test } from 'vitest';
import type { ClientName } from '../support/clients.js';
import { eventually, report, staged, until } from '../support/stage.js';
import { serverIsLate } from '../support/staged.js';

const KEY = 'session';

function claimOf(more: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    sessionKey: KEY,
    nodeId: 'node',
    seen: 0,
    runId: 'run',
    isOwnId: false,
    attempt: 1,
    kind: 'chat',
    owner: undefined,
    tags: [],
    fingerprint: undefined,
    graceMs: 0,
    hasEpilogue: false,
    mode: 'exclusive',
    whenQuiet: false,
    replaces: [],
    beside: [],
    repeats: undefined,
    since: undefined,
    listSince: undefined,
    judged: 0,
    ...more,
  };
}

/** What must hold when the server, or the way to it, fails: on one client. */
export function failures(client: ClientName): void {
  test('FLUSHALL: runs are cut, numbers go on, and the lease is there again', () =>
    staged(client, async (stage) => {
      const server = await stage.server();
      const admin = await stage.direct(server.port);
      const here = await stage.machine(server.port);
      const run = await stage.begin(here, { sessionKey: KEY });
      const grant = await here.control.locks.acquire(KEY, { holder: run });
      const start = performance.now();
      await admin.command('FLUSHALL');
      await until('the run is cut', () => !run.isCurrent());
      expect([run.reason, grant.isHeld()]).toEqual(['heartbeat-lost', false]);
      const cutMs = performance.now() - start;
      const next = await eventually('a run begins', () => stage.begin(here, { sessionKey: KEY }));
      expect(next.generation).toBeGreaterThan(grant.token);
      await until(
        'its lease is there',
        async () => ((await admin.command('KEYS', `${stage.keys}n:*`)) as string[]).length === 1,
      );
      report(`${client}: FLUSHALL`, { 'cut after': cutMs, 'right after': performance.now() - start });
    }));

  test('the server stands still for less than a lease', () =>
    staged(client, async (stage) => {
      const server = await stage.server();
      const leaseMs = 60_000;
      const here = await stage.machine(server.port, { leaseMs });
      const hasty = await stage.machine(server.port, { leaseMs, control: { defaults: { backendTimeoutMs: 300 } } });
      const run = await stage.begin(here, { sessionKey: KEY });
      server.signal('SIGSTOP');
      await expect(stage.begin(hasty, { sessionKey: 'other' })).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
      server.signal('SIGCONT');
      await eventually('it works again', () => run.commit(() => {}));
      expect(run.isCurrent()).toBe(true);
    }));

  test('the server stands still for longer than a lease', () =>
    staged(client, async (stage) => {
      const server = await stage.server();
      const here = await stage.machine(server.port);
      const run = await stage.begin(here, { sessionKey: KEY });
      const start = performance.now();
      server.signal('SIGSTOP');
      // First nothing may start; once one renewal was not answered, it is cut.
      await until('the run is cut', () => run.signal.aborted);
      const cutMs = performance.now() - start;
      expect(run.reason).toBe('heartbeat-lost');
      server.signal('SIGCONT');
      const healedAt = performance.now();
      run.complete();
      const next = await eventually('it works again', () => stage.begin(here, { sessionKey: KEY }));
      expect(next.generation).toBeGreaterThan(run.generation);
      report(`${client}: SIGSTOP of the server`, { 'cut after': cutMs, 'right after': performance.now() - healedAt });
    }));

  test('an answer is lost and the client sends again: a claim, a lock and a kept stop take effect once', () =>
    staged(client, async (stage) => {
      const server = await stage.server();
      const here = await stage.machine(server.port, { leaseMs: 15_000 });
      const there = await stage.machine(server.port, { leaseMs: 15_000 });
      // The server knows the scripts: what it answers to a script that it does not know has done nothing yet.
      const other = await stage.begin(there, { sessionKey: 'other' });
      (await there.control.locks.acquire('other', { holder: other })).release();
      await there.control.abort({ sessionKey: 'other' });
      await here.backend.readStops();
      const read = () => there.backend.readSession({ sessionKey: KEY, nodeId: 'reader', watch: false });
      /** Applied, not answered, and sent again by hand where the client does not: as the core would. */
      const twice = async <T>(ask: () => Promise<T>, isThere: () => Promise<boolean>): Promise<T> => {
        await here.proxy.set('deaf');
        const first = ask().then(
          (answer) => ({ answer }),
          () => undefined,
        );
        await until('it took effect', isThere);
        await here.proxy.set('open');
        return (await first)?.answer ?? (await eventually('it is answered', ask));
      };
      const claim = await twice(
        async () => here.backend.claim(claimOf()),
        async () => (await read()).runs.length === 1,
      );
      const [run] = (await read()).runs;
      expect(claim).toMatchObject({ kind: 'granted', generation: run?.generation });
      const generation = run?.generation ?? 0;
      const base = { sessionKey: KEY, nodeId: 'node', seen: 0 };
      const lock = await twice(
        async () =>
          here.backend.lock({ ...base, run: { runId: 'run', generation }, attempt: 2, reserved: undefined, since: 0 }),
        async () => (await read()).holder !== undefined,
      );
      expect(lock).toMatchObject({ kind: 'granted', token: (await read()).holder?.token });
      const stop = {
        ...base,
        attempt: 3,
        reason: 'user',
        runs: [],
        select: { sessionKey: KEY },
        record: { selector: { sessionKey: KEY }, requester: undefined, intent: false },
        number: undefined,
        named: [],
      } as const;
      const stopped = await twice(
        async () => here.backend.stop(stop),
        async () => (await read()).stops.length === 1,
      );
      expect(stopped.number).toBe((await read()).stops[0]?.number);
      expect(stopped.runs.map(({ runId, found }) => [runId, found])).toEqual([['run', 'stopped']]);
    }));

  test('scripts are flushed in the middle of it', () =>
    staged(client, async (stage) => {
      const server = await stage.server();
      const admin = await stage.direct(server.port);
      const here = await stage.machine(server.port);
      const run = await stage.begin(here, { sessionKey: KEY });
      for (let turn = 0; turn < 5; turn++) {
        await admin.command('SCRIPT', 'FLUSH');
        await run.commit((context) => here.backend.write(context, { script: 'return 1' }));
      }
      expect(run.isCurrent()).toBe(true);
      expect(here.errors).toEqual([]);
    }));

  test('a user with the permissions of docs/redis.md can do everything, and one without them is told', () =>
    staged(client, async (stage) => {
      const server = await stage.server();
      const admin = await stage.direct(server.port);
      const acl = await aclOfDocs(stage.prefix);
      await admin.command('ACL', 'SETUSER', 'least', 'on', '>secret', ...acl);
      const user = { user: 'least', password: 'secret' };
      const here = await stage.machine(server.port, { user });
      const there = await stage.machine(server.port, { user });
      const run = await stage.begin(here, { sessionKey: KEY });
      run.epilogue(() => {});
      await run.commit((context) => here.backend.write(context, { script: 'return 1' }));
      const waiting = there.control.locks.acquire(KEY);
      const next = await stage.begin(there, { sessionKey: KEY });
      await until('it is taken over', () => !run.isCurrent());
      run.complete();
      (await waiting).release();
      await here.control.abort('all');
      await until('it is stopped', () => !next.isCurrent());
      await here.backend.readActive();
      expect(await here.backend.health()).toMatchObject({ ok: true, problems: [] });
      // A dead process is buried, and its runs are told, with no more than that.
      const gone = await stage.machine(server.port, { user, leaseMs: 1_000 });
      await stage.begin(gone, { sessionKey: 'left' });
      await gone.proxy.set('refused');
      await until('it is buried', async () => {
        const { runs } = await here.backend.readSession({ sessionKey: 'left', nodeId: 'n', watch: false });
        return runs.length === 0;
      });
      const log = (await admin.command('ACL', 'LOG')) as unknown[];
      expect(log).toEqual([]);
      await admin.command('ACL', 'SETUSER', 'least', '-evalsha', '-eval');
      await expect(stage.begin(here, { sessionKey: 'x' })).rejects.toMatchObject({
        code: 'BACKEND_UNAVAILABLE',
        cause: expect.objectContaining({ message: expect.stringContaining('docs/redis.md') }),
      });
      await admin.command('ACL', 'SETUSER', 'least', '+evalsha', '+eval');
      await eventually('it works again', () => stage.begin(here, { sessionKey: 'x' }));
    }));

  test('the first request comes before the server', () => serverIsLate(client));
}

/** The permissions that the page gives, for this prefix. */
async function aclOfDocs(prefix: string): Promise<readonly string[]> {
  const page = await readFile(new URL('../../../docs/redis.md', import.meta.url), 'utf8');
  const command = /ACL SETUSER runfence on >secret ([^`]+)```/.exec(page)?.[1] ?? expect.fail('the page has no ACL');
  return command.replaceAll('{rf:chat}', `{rf:${prefix}}`).trim().split(/\s+/);
}
