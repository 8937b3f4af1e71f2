import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRunControl, type Run, RunAbortedError, type RunControl } from 'runfence';
import { files } from 'runfence/files';
import { FakeClock } from 'runfence/testing';
import { expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { filesIn, folder } from './support/folders.js';

/** How a run comes to be stopped. */
interface Way {
  readonly begin?: (control: RunControl, gone: AbortSignal) => Promise<Run>;
  readonly stop: (control: RunControl, run: Run, gone: AbortController, clock: FakeClock) => unknown;
}

/** A child of a run of another session. Its work is as deaf as the others, which are handles. */
async function child(control: RunControl): Promise<Run> {
  const parent = await begin(control, { sessionKey: 'parents' });
  return new Promise((resolve) => {
    const work = parent.child({ sessionKey: 's' }, (run) => {
      resolve(run);
      return new Promise<void>((done) => {
        ends.push(done, () => parent.complete());
      });
    });
    work.catch(() => {});
  });
}

/** What ends the work of runs that are no handles. */
const ends: (() => void)[] = [];

const ways: Record<string, Way> = {
  'the user': { stop: (control) => control.abort({ sessionKey: 's' }) },
  'a takeover': { stop: (control) => begin(control, { sessionKey: 's', runId: 'next' }) },
  'a timeout': {
    begin: (control) => begin(control, { timeoutMs: 250 }),
    stop: (_control, _run, _gone, clock) => clock.advance(250),
  },
  'a client that hung up': {
    begin: (control, signal) => begin(control, { signal }),
    stop: (_control, _run, gone) => gone.abort(new RunAbortedError('disconnect')),
  },
  'the stop of its parent': { begin: child, stop: (control) => control.abort({ sessionKey: 'parents' }) },
  'a shutdown': { stop: (control) => control.drain({ graceMs: 0 }) },
};

test.each(Object.keys(ways))(
  'the lock of a deaf run is free at once for a clean-up elsewhere: stopped by %s',
  async (name) => {
    const { begin: start = (one: RunControl) => begin(one), stop } = ways[name] as Way;
    // The real disk, and a process of its own would see no more than a backend of its own.
    const dir = folder(tmpdir());
    const session = join(dir, 'session.jsonl');
    writeFileSync(session, '');
    const store = join(dir, 'store');
    const clock = new FakeClock();
    const control = createRunControl({ backend: files({ dir: store, durable: false }), clock });
    const other = files({ dir: store, durable: false });
    const cleaning = createRunControl({ backend: other });
    const gone = new AbortController();
    // Its work never looks at its signal: it is told to end at the end of the test.
    const run = await start(control, gone.signal);
    const grant = await control.locks.acquire('s', { holder: run });
    const blocked = cleaning.locks.acquire('s', { timeoutMs: 0 });
    await expect(blocked).rejects.toMatchObject({
      code: 'LOCK_TIMEOUT',
      message: expect.stringContaining(`process ${process.pid}`),
      holder: { runId: run.id, token: grant.token, pid: process.pid, host: expect.any(String), why: 'chat' },
    });
    const asked = { sessionKey: 's', nodeId: 'none', watch: false };
    expect(await other.readSession(asked)).toMatchObject({
      holder: { runId: run.id, pid: process.pid, why: 'chat' },
    });
    const at = performance.now();
    const stopping = stop(control, run, gone, clock);
    const clean = await cleaning.locks.acquire('s');
    console.log(`${name}: acquired ${Math.round(performance.now() - at)} ms after the stop, while its work goes on`);
    expect(run.status).toBe('stopping');
    expect(grant.isHeld()).toBe(false);
    expect(clean.token).toBeGreaterThan(grant.token);
    rmSync(session);
    clean.release();
    run.complete();
    for (const end of ends.splice(0)) end();
    const next = await stopping;
    if (name === 'a takeover') (next as Run).complete();
    for (const one of [control, cleaning]) await one.drain({ graceMs: 0 });
    expect(existsSync(session)).toBe(false);
    expect(filesIn(store).filter((path) => /\.lock/.test(path))).toEqual([]);
    const after = files({ dir: store });
    expect(await after.readSession(asked)).toMatchObject({ holder: undefined, runs: [] });
    await after.close();
  },
);
