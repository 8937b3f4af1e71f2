import { setTimeout as sleep } from 'node:timers/promises';
import { isRunfenceError, type Run } from 'runfence';
import { FENCE_LUA } from 'runfence/redis';
import { expect, test } from 'vitest';
import { isLong, times } from '../support/proofs.js';
import { CLIENTS, type ClientName } from './support/clients.js';
import { type Machine, report, type Stage, staged } from './support/stage.js';

const KEY = 'session';
/** A thousand takeovers on one client; on the other as many in `npm run long`. */
const TAKEOVERS = { ioredis: times(100, 1_000), 'node-redis': isLong ? 1_000 : times(20, 100) };
/** Sessions in which they race, side by side: a takeover mostly waits. */
const RACES = 10;
/** Stale writes a takeover: more of them after it than at its moment. */
const LATE = 10;
const AT_ITS_MOMENT = 4;

interface Owner {
  readonly machine: Machine;
  readonly run: Run;
  readonly context: {
    readonly sessionKey: string;
    readonly runId: string;
    readonly generation: number;
    readonly token: number;
  };
}

class Race {
  readonly list: string;
  readonly counts = { accepted: 0, refused: 0, staleAccepted: 0, staleRefused: 0 };
  readonly #stage: Stage;
  readonly #sessionKey: string;
  readonly #machines: readonly [Machine, Machine];

  constructor(stage: Stage, sessionKey: string, machines: readonly [Machine, Machine]) {
    this.list = `${stage.keys}written ${sessionKey}`;
    this.#stage = stage;
    this.#sessionKey = sessionKey;
    this.#machines = machines;
  }

  async take(takeovers: number): Promise<void> {
    let owner = await this.#own(this.#machines[0]);
    for (let round = 1; round <= takeovers; round++) {
      expect(await this.#write(owner)).toBe(true);
      const old = owner;
      const atItsMoment = Array.from({ length: AT_ITS_MOMENT }, async (_, at) => {
        if (at > 0) await sleep(Math.random());
        return this.#write(old);
      });
      owner = await this.#own(this.#machines[round % 2 === 0 ? 0 : 1]);
      const isOld = await Promise.all(Array.from({ length: LATE }, () => this.#write(old)));
      for (const isAccepted of isOld) this.counts[isAccepted ? 'staleAccepted' : 'staleRefused'] += 1;
      await Promise.all(atItsMoment);
      // One that unwinds for ever stays in the record, which would grow with every takeover.
      old.run.complete();
    }
  }

  async #own(machine: Machine): Promise<Owner> {
    const sessionKey = this.#sessionKey;
    const run = await this.#stage.begin(machine, { sessionKey });
    const { token } = await machine.control.locks.acquire(sessionKey, { holder: run });
    return { machine, run, context: { sessionKey, runId: run.id, generation: run.generation, token } };
  }

  async #write({ machine, context }: Owner): Promise<boolean> {
    try {
      await machine.backend.write(context, {
        script: "return redis.call('RPUSH', KEYS[1], ARGV[1])",
        keys: [this.list],
        args: [`${context.token}`],
      });
      this.counts.accepted += 1;
      return true;
    } catch (error) {
      if (!isRunfenceError(error, 'LOCK_LOST')) throw error;
      this.counts.refused += 1;
      return false;
    }
  }
}

test.each(CLIENTS)('no stale write is accepted in a race of takeovers, on %s', { timeout: 300_000 }, async (client) => {
  await staged(client, async (stage) => {
    const server = await stage.server();
    const machines = [
      await stage.machine(server.port, { leaseMs: 15_000 }),
      await stage.machine(server.port, { leaseMs: 15_000 }),
    ] as const;
    const races = Array.from({ length: RACES }, (_, at) => new Race(stage, `${KEY}-${at}`, machines));
    await Promise.all(races.map((race) => race.take(TAKEOVERS[client] / RACES)));
    const admin = await stage.direct(server.port);
    const sum = { accepted: 0, refused: 0, staleAccepted: 0, staleRefused: 0 };
    for (const { list, counts } of races) {
      const written = ((await admin.command('LRANGE', list, '0', '-1')) as string[]).map(Number);
      expect(written).toEqual([...written].sort((a, b) => a - b));
      expect(written.length).toBe(counts.accepted);
      for (const name of ['accepted', 'refused', 'staleAccepted', 'staleRefused'] as const) sum[name] += counts[name];
    }
    expect(sum.staleAccepted).toBe(0);
    expect(sum.staleRefused).toBe(TAKEOVERS[client] * LATE);
    report(
      `${client}: fenced writes`,
      Object.fromEntries(Object.entries(sum).map(([name, count]) => [name, `${count}`])),
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
      await expect.poll(() => saved, { timeout: 15_000 }).toEqual(['saved']);
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
