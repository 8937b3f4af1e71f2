import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Mode, Probe, Step } from './app.js';
import type { Leaving } from './client.js';
import { HOSTS } from './hosts.js';
import { type HostStage, startHost } from './stage.js';

/** More than the buffers of the system and of both sides take. */
const BIG = 'x'.repeat(16 << 20);
/** HTTP/2 has a window of its own, and a bound of what it keeps. */
const BIG_HTTP2 = 'x'.repeat(1 << 20);
const counts = new Map<string, Record<string, string>>();

afterAll(() => {
  const table = [...counts].map(([host, row]) => ({ host, ...row }));
  process.stdout.write(`${table.map((row) => Object.values(row).join(' | ')).join('\n')}\n`);
});

describe.each(Object.entries(HOSTS))('%s', (name, { isHttp2, isWeb, ownWriter }) => {
  let stage: HostStage;
  const printed: unknown[] = [];
  beforeAll(async () => {
    for (const method of ['error', 'warn', 'info', 'log'] as const) {
      vi.spyOn(console, method).mockImplementation((...all) => void printed.push(all));
    }
    process.on('warning', onWarning);
    stage = await startHost(name);
    counts.set(name, {});
  });
  afterAll(async () => {
    await stage.close();
    process.off('warning', onWarning);
    vi.restoreAllMocks();
  });
  const onWarning = (warning: Error): void => void printed.push(warning);

  /** A request that is held up at a step, and whose client leaves there. */
  async function leaveAt(mode: Mode, step: Step, sent?: number): Promise<{ probe: Probe; leaving: Leaving }> {
    const probe = stage.probes.add(`${mode} ${step} ${sent}`, step);
    const leaving = await stage.client.leaving({ mode, name: probe.name, ...(sent === undefined ? {} : { sent }) });
    await probe.gates[step].reached;
    return { probe, leaving };
  }

  async function hasDisconnected(probe: Probe): Promise<void> {
    await probe.over.reached;
    expect(probe.outcome).toBe('disconnect');
    expect(probe.signal?.reason).toMatchObject({ name: 'AbortError', code: 'RUN_ABORTED', reason: 'disconnect' });
    await vi.waitFor(() => expect(stage.control.runs.list()).toEqual([]), 15_000);
    expect(probe.late).toBe(0);
    expect(stage.errors).toEqual([]);
    expect(printed).toEqual([]);
    stage.probes.remove(probe.name);
  }

  const count = (ending: string): void => {
    const row = counts.get(name) as Record<string, string>;
    row[ending] = `${ending}: ${Number(/\d+$/.exec(row[ending] ?? '0')?.[0]) + 1}`;
  };

  describe.each(['json', 'sse'] as const)('%s', (mode) => {
    test('it has left during an asynchronous login, before anybody asked (B13)', async () => {
      const { probe, leaving } = await leaveAt(mode, 'login');
      await stage.leave(leaving);
      probe.gates.login.open();
      await hasDisconnected(probe);
      count('login');
    });

    test('it leaves before the body is read (B15)', async () => {
      const { probe, leaving } = await leaveAt(mode, 'watched');
      await stage.leave(leaving);
      probe.gates.watched.open();
      await hasDisconnected(probe);
      count('unread');
    });

    test('it leaves during its upload (B3)', async () => {
      const { probe, leaving } = await leaveAt(mode, 'watched', 10);
      probe.gates.watched.open();
      // The body is being read.
      await new Promise((resolve) => setTimeout(resolve, 5));
      await stage.leave(leaving);
      await hasDisconnected(probe);
      count('upload');
    });

    test('it leaves while the answer is pending (B1, B14)', async () => {
      const { probe, leaving } = await leaveAt(mode, 'work');
      await stage.leave(leaving);
      await hasDisconnected(probe);
      count('pending');
    });

    if (mode === 'sse') {
      test('it leaves in mid-stream (B2)', async () => {
        const { probe, leaving } = await leaveAt(mode, 'last');
        await leaving.answered;
        await stage.leave(leaving);
        await hasDisconnected(probe);
        count('mid-stream');
      });
    }

    test('it leaves after the end, before all of it is flushed: the run is complete (B11)', async () => {
      const probe = stage.probes.add(`${mode} end`, undefined, isHttp2 === true ? BIG_HTTP2 : BIG);
      const leaving = await stage.client.leaving({ mode, name: probe.name });
      leaving.pause();
      await probe.over.reached;
      await stage.leave(leaving);
      expect(probe.outcome).toBe('completed');
      // A host of the web may say it later, and nothing is left to be stopped.
      if (isWeb !== true) expect(probe.signal?.aborted).toBe(false);
      expect(stage.errors).toEqual([]);
      count('after end()');
    });

    if (isHttp2 !== true) {
      test('it closes its half and waits: Node takes that for leaving', async () => {
        const { probe, leaving } = await leaveAt(mode, 'work');
        leaving.halfClose();
        await hasDisconnected(probe);
        await leaving.leave();
        count('half-close');
      });
    }

    test('a connection that is kept carries no listener of a finished request (B4, B7)', async () => {
      expect(await stage.client.post({ mode })).toContain('hello');
      const [socket] = stage.host.sockets;
      const listeners = (): Record<string, number> =>
        Object.fromEntries(
          (socket?.eventNames() ?? []).map((event) => [String(event), socket?.listenerCount(event) ?? 0]),
        );
      await new Promise((resolve) => setImmediate(resolve));
      const before = listeners();
      for (let at = 0; at < 12; at += 1) await stage.client.post({ mode });
      await new Promise((resolve) => setImmediate(resolve));
      expect(listeners()).toEqual(before);
      expect(printed).toEqual([]);
      count('kept');
    });
  });

  test('to the clients that have left, nothing was written, and nothing was logged of them', () => {
    // Each of those requests was one.
    expect(stage.host.leftBefore()).toBeGreaterThan(8);
    if (ownWriter !== true) expect(stage.host.lateWrites).toEqual([]);
    expect(stage.errors).toEqual([]);
    expect(printed).toEqual([]);
    const row = counts.get(name) as Record<string, string>;
    const of = ownWriter === true ? ' of the host itself' : '';
    row.late = `late writes${of}: ${stage.host.lateWrites.length} to ${stage.host.leftBefore()}`;
  });
});
