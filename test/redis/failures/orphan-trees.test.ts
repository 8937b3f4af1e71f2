import { expect, test } from 'vitest';
import { endsWhatIsLeft, killedServer, orphanOf } from '../../process/dying.js';
import { LEASE_MS, report, staged } from '../support/stage.js';

test('the processes of a server that was killed are ended by who is told of its run, by their mark (G19)', () =>
  staged('ioredis', async (stage) => {
    const server = await stage.server();
    const here = await stage.machine(server.port);
    await here.backend.readStops();
    const orphaned = orphanOf(here.control);
    const store = { kind: 'redis', port: server.port, prefix: stage.prefix, leaseMs: LEASE_MS } as const;
    const left = await killedServer(store);
    const start = performance.now();
    // Nobody wants its session: the janitor ends its run.
    await endsWhatIsLeft(left, orphaned);
    report('a server with processes killed', { 'they are gone after': performance.now() - start });
    expect(here.errors).toEqual([]);
  }));
