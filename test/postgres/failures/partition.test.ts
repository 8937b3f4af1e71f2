import { expect, test } from 'vitest';
import { begun, LEASE_MS, nodeOn, ownServer, proxyTo, report, until } from '../support/stage.js';

const KEY = 'session';

test.each([
  ['hole', 'pg'],
  ['refused', 'pg'],
  ['hole', 'postgres.js'],
  ['refused', 'postgres.js'],
] as const)(
  'a process that is cut off (%s, %s) stops its runs before the server lets anybody else in, and comes back',
  async (way, client) => {
    const server = await ownServer();
    const proxy = await proxyTo(server);
    const here = nodeOn(proxy.port, { client });
    const there = nodeOn(server.port);
    const run = await begun(here.control, { sessionKey: KEY });
    const grant = await here.control.locks.acquire(KEY, { holder: run });
    const waiting = there.control.locks.acquire(KEY);
    await until('it waits', async () => (await there.backend.health()).ok);
    const cutOffAt = performance.now();
    await proxy.set(way);
    let closedAt = 0;
    let cutAt = 0;
    const watch = setInterval(() => {
      if (closedAt === 0 && (here.backend.aliveUntil?.() ?? 0) < performance.now()) closedAt = performance.now();
    }, 5);
    run.signal.addEventListener('abort', () => {
      cutAt = performance.now();
    });
    const next = await waiting;
    const letInAt = performance.now();
    clearInterval(watch);
    expect(closedAt).toBeGreaterThan(cutOffAt);
    expect(cutAt).toBeGreaterThan(cutOffAt);
    // Nothing starts here any more from `closedAt` on; the cut of what went on comes before anybody is let in.
    expect(closedAt).toBeLessThan(letInAt);
    expect(cutAt).toBeLessThan(letInAt);
    expect([run.reason, grant.isHeld(), next.token > grant.token]).toEqual(['heartbeat-lost', false, true]);
    await expect(run.gate(() => {})).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    const healedAt = performance.now();
    await proxy.set('open');
    await until('the process works again', async () => {
      const begin = await here.control.runs.begin({ sessionKey: 'other' }).catch(() => undefined);
      if (begin?.status === 'started') begin.run.complete();
      return begin?.status === 'started';
    });
    const healedMs = performance.now() - healedAt;
    // What it had is not its own any more, and nothing of it is left.
    run.complete();
    expect(next.isHeld()).toBe(true);
    await until('no trace of the run', async () => {
      const { runs, holder } = await there.backend.readSession({ sessionKey: KEY, nodeId: 'n', watch: false });
      return runs.length === 0 && holder?.token === next.token;
    });
    next.release();
    const ms = (at: number): number => Math.round(at - cutOffAt);
    report(
      `partition, ${way}, ${client}`,
      `closed at ${ms(closedAt)}, cut at ${ms(cutAt)}, the other one in at ${ms(letInAt)} ms of a lease of ${LEASE_MS}`,
      healedMs,
    );
  },
);

test('a short partition loses nothing: nobody needed what the process has', async () => {
  const server = await ownServer();
  const proxy = await proxyTo(server);
  const leaseMs = 6_000;
  const here = nodeOn(proxy.port, { leaseMs });
  const run = await begun(here.control, { sessionKey: KEY });
  const grant = await here.control.locks.acquire(KEY, { holder: run });
  await proxy.set('refused');
  // A renewal falls into it, and its deadline does not.
  await new Promise((resolve) => setTimeout(resolve, leaseMs * 0.4));
  await proxy.set('open');
  const ms = await until('it is renewed', async () => (await here.backend.health()).ok);
  await grant.commit(() => {});
  expect([run.isCurrent(), grant.isHeld()]).toEqual([true, true]);
  report('partition, shorter than the lease', 'nothing', ms);
  run.complete();
});
