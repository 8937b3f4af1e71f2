import { redis } from 'runfence/redis';
import { expect, test } from 'vitest';
import { CLIENTS } from './support/clients.js';
import { LEASE_MS, staged, until } from './support/stage.js';

const SILENT = { changed: () => {}, listed: () => {}, gap: () => {}, lost: () => {}, orphaned: () => {} };

async function connections(command: (...args: string[]) => Promise<unknown>): Promise<number> {
  return String(await command('CLIENT', 'LIST'))
    .trim()
    .split('\n').length;
}

test.each(CLIENTS)('what is asked after the end opens no connection that nobody closes, on %s', async (client) => {
  await staged(client, async (stage) => {
    const server = await stage.server();
    const admin = await stage.direct(server.port);
    const host = await stage.direct(server.port);
    const before = await connections(admin.command);
    const backend = redis(host.client, { prefix: stage.prefix, leaseMs: LEASE_MS });
    const remove = backend.subscribe('node', SILENT);
    await backend.readStops();
    expect(await connections(admin.command)).toBe(before + 1);
    // Another one that closes it while a node listens, and the end itself, twice.
    await backend.close();
    await backend.readStops();
    remove();
    // Asked before the end, and answered after it or not at all.
    const late = Promise.resolve(backend.readStops()).catch((error: unknown) => error);
    await Promise.all([backend.close(), backend.close()]);
    await late;
    await expect(backend.readStops()).rejects.toMatchObject({ code: 'CLOSED' });
    await until('its connection is gone', async () => (await connections(admin.command)) === before);
    expect(await admin.command('KEYS', `${stage.keys}n:*`)).toEqual([]);
    // A node that listens begins it anew.
    const again = backend.subscribe('node', SILENT);
    await backend.readStops();
    again();
    await backend.close();
    await until('its connection is gone', async () => (await connections(admin.command)) === before);
  });
});

test.each(CLIENTS)('a backend that never reached its server is closed, too, on %s', async (client) => {
  await staged(client, async (stage) => {
    const server = await stage.server();
    const machine = await stage.machine(server.port);
    await machine.proxy.set('refused');
    const backend = redis(machine.host.client, { prefix: 'other', leaseMs: 1_000 });
    const asking = Promise.resolve(backend.readStops()).catch((error: unknown) => error);
    await backend.close();
    expect(await asking).toMatchObject({ code: expect.stringMatching(/CLOSED|BACKEND_UNAVAILABLE/) });
    await machine.proxy.set('open');
    const admin = await stage.direct(server.port);
    await new Promise((done) => setTimeout(done, 300));
    expect(String(await admin.command('CLIENT', 'LIST'))).not.toMatch(/cmd=subscribe.*sub=2/);
  });
});
