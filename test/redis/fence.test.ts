import { setTimeout as sleep } from 'node:timers/promises';
import { isRunfenceError } from 'runfence';
import { FENCE_LUA } from 'runfence/redis';
import { expect, test } from 'vitest';
import { times } from '../support/proofs.js';
import { CLIENTS, type ClientName } from './support/clients.js';
import { type Machine, report, staged } from './support/stage.js';

const KEY = 'session';
/** A thousand stale writes after a takeover, on one client; fewer on the other. */
const ROUNDS = { ioredis: times(100, 1_000), 'node-redis': times(20, 1_000) };
/** Stale writes a round: more of them after the takeover than at its moment. */
const LATE = 10;
const AT_ITS_MOMENT = 4;

interface Owner {
  readonly machine: Machine;
  readonly context: {
    readonly sessionKey: string;
    readonly runId: string;
    readonly generation: number;
    readonly token: number;
  };
}

test.each(CLIENTS)('no stale write is accepted in a race of takeovers, on %s', { timeout: 300_000 }, async (client) => {
  await staged(client, async (stage) => {
    const server = await stage.server();
    const machines = [
      await stage.machine(server.port, { leaseMs: 15_000 }),
      await stage.machine(server.port, { leaseMs: 15_000 }),
    ];
    const list = `${stage.keys}written`;
    const counts = { accepted: 0, refused: 0, staleAccepted: 0, staleRefused: 0 };
    const own = async (machine: Machine): Promise<Owner> => {
      const run = await stage.begin(machine, { sessionKey: KEY });
      const { token } = await machine.control.locks.acquire(KEY, { holder: run, timeoutMs: 10_000 });
      return { machine, context: { sessionKey: KEY, runId: run.id, generation: run.generation, token } };
    };
    const write = async ({ machine, context }: Owner): Promise<boolean> => {
      try {
        await machine.backend.write(context, {
          script: "return redis.call('RPUSH', KEYS[1], ARGV[1])",
          keys: [list],
          args: [`${context.token}`],
        });
        counts.accepted += 1;
        return true;
      } catch (error) {
        if (!isRunfenceError(error, 'LOCK_LOST')) throw error;
        counts.refused += 1;
        return false;
      }
    };
    let owner = await own(machines[0] as Machine);
    for (let round = 1; round <= ROUNDS[client]; round++) {
      expect(await write(owner)).toBe(true);
      const old = owner;
      const atItsMoment = Array.from({ length: AT_ITS_MOMENT }, async (_, at) => {
        if (at > 0) await sleep(Math.random());
        return write(old);
      });
      owner = await own(machines[round % 2] as Machine);
      const isOld = await Promise.all(Array.from({ length: LATE }, () => write(old)));
      for (const isAccepted of isOld) counts[isAccepted ? 'staleAccepted' : 'staleRefused'] += 1;
      await Promise.all(atItsMoment);
    }
    const admin = await stage.direct(server.port);
    const written = ((await admin.command('LRANGE', list, '0', '-1')) as string[]).map(Number);
    expect(written).toEqual([...written].sort((a, b) => a - b));
    expect(written.length).toBe(counts.accepted);
    expect(counts.staleAccepted).toBe(0);
    expect(counts.staleRefused).toBe(ROUNDS[client] * LATE);
    report(
      `${client}: fenced writes`,
      Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, `${count}`])),
    );
  });
});

test.each(CLIENTS)(
  'a stop that nobody has heard closes the fence at once, and an epilogue may still write, on %s',
  async (client) => {
    await staged(client as ClientName, async (stage) => {
      const server = await stage.server();
      const [here, there] = [await stage.machine(server.port), await stage.machine(server.port)];
      const run = await stage.begin(here, { sessionKey: KEY });
      const saved: unknown[] = [];
      run.epilogue(async (context) => {
        const { sessionKey } = run;
        const target = { sessionKey, runId: run.id, generation: run.generation, token: context.token };
        saved.push(await here.backend.write(target, { script: 'return ARGV[1]', args: ['saved'] }));
      });
      await run.commit((context) => here.backend.write(context, { script: 'return 1' }));
      const fence = here.backend.fence({ sessionKey: KEY, runId: run.id, generation: run.generation });
      const script = `${FENCE_LUA} return tostring(runfence_holds(KEYS[1], KEYS[2], ARGV[1]))`;
      const holds = (): Promise<unknown> => here.host.command('EVAL', script, '2', ...fence.keys, fence.held);
      expect(await holds()).toBe('true');
      const aborting = there.control.abort({ runId: run.id });
      await aborting;
      expect(await holds()).toBe('false');
      run.complete();
      await expect.poll(() => saved, { timeout: 5_000 }).toEqual(['saved']);
    });
  },
);

test('a fence needs something to compare', async () => {
  await staged('ioredis', async (stage) => {
    const server = await stage.server();
    const { backend } = await stage.machine(server.port);
    expect(() => backend.fence({ sessionKey: KEY, token: 1 })).toThrow(
      expect.objectContaining({ code: 'BACKEND_UNAVAILABLE' }),
    );
    await backend.readStops();
    expect(() => backend.fence({ sessionKey: KEY })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});
