import { rmdirSync, unlinkSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRunControl, type Grant, type Run, type RunControl } from 'runfence';
import { files } from 'runfence/files';
import { expect } from 'vitest';
import { Folder } from '../../../src/files/folder.js';
import type { Identity } from '../../../src/files/identity.js';
import { EMPTY_SHARD, shardName } from '../../../src/files/shard.js';
import { diskError, onDisk } from './disk.js';
import { folder } from './folders.js';

/** Scenarios of the conformance suite that reach into the folder. */

const STALE_MS = 2_000;
const KEY = 'session';

interface Holding {
  readonly dir: string;
  readonly control: RunControl;
  readonly run: Run;
  readonly grant: Grant;
}

async function holding(act: (holding: Holding) => Promise<void>): Promise<void> {
  const dir = folder();
  const control = controlOn(dir);
  const begun = await control.runs.begin({ sessionKey: KEY });
  if (begun.status !== 'started') throw new Error(begun.status);
  const { run } = begun;
  try {
    await act({ dir, control, run, grant: await control.locks.acquire(KEY, { holder: run }) });
  } finally {
    run.complete();
    await control.drain({ graceMs: 0 });
  }
}

function controlOn(dir: string): RunControl {
  return createRunControl({ backend: files({ dir, staleMs: STALE_MS, durable: false }) });
}

async function numberedRecords(dir: string, key: string): Promise<{ folder: string; last: number }> {
  const chain = join(dir, 'sessions', shardName(key));
  const numbers = (await readdir(chain)).map((name) => Number.parseInt(name, 10));
  return { folder: chain, last: Math.max(...numbers) };
}

function recordName(number: number): string {
  return `${String(number).padStart(16, '0')}.json`;
}

/** A folder in which the last number of this session's shard is `last`. */
export async function folderAt(dir: string, sessionKey: string, last: number): Promise<void> {
  const made = new Folder(dir, false);
  await made.open();
  const chain = join(made.path('sessions'), shardName(sessionKey));
  await mkdir(chain);
  const state = { ...EMPTY_SHARD, memory: { ...EMPTY_SHARD.memory, counter: last } };
  await writeFile(join(chain, recordName(1)), JSON.stringify({ store: made.store, state, applied: {} }));
}

/** Who holds it is made to look like this to others. */
async function pretend(dir: string, change: Partial<Identity>): Promise<void> {
  const nodes = join(dir, 'nodes');
  const [name] = (await readdir(nodes)).filter((file) => file.endsWith('.json'));
  const path = join(nodes, name as string);
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...change }));
}

export async function reusedPid(): Promise<void> {
  await holding(async ({ dir, run }) => {
    await pretend(dir, { startTime: '1' });
    const other = controlOn(dir);
    const grant = await other.locks.acquire(KEY);
    await expect.poll(() => run.reason, { timeout: 20_000 }).toBe('heartbeat-lost');
    grant.release();
    await other.drain({ graceMs: 0 });
  });
  for (const elsewhere of [{ host: 'elsewhere' }, { pidNamespace: 'pid:[1]' }, { bootId: 'another' }]) {
    await holding(async ({ dir, run }) => {
      await pretend(dir, { ...elsewhere, startTime: '1' });
      const other = controlOn(dir);
      await expect(other.locks.acquire(KEY, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
      expect(run.isCurrent()).toBe(true);
      await other.drain({ graceMs: 0 });
    });
  }
}

export async function deletedByHand(): Promise<void> {
  await holding(async ({ dir, run, grant }) => {
    const nodes = join(dir, 'nodes');
    for (const name of await readdir(nodes)) if (name.endsWith('.lock')) rmdirSync(join(nodes, name));
    await expect.poll(() => run.reason, { timeout: 20_000 }).toBe('heartbeat-lost');
    expect(grant.lost.aborted).toBe(true);
  });
}

const WRITES = ['symlink', 'link', 'writeFile', 'mkdir', 'open'];

/** For `vi.mock('node:fs/promises')` with `interposed`. */
export async function failingDisk(): Promise<void> {
  for (const code of ['ENOSPC', 'EROFS', 'EACCES', 'EIO']) {
    await holding(async ({ dir, control, run, grant }) => {
      const other = controlOn(dir);
      const begin = (): ReturnType<typeof other.runs.begin> => other.runs.begin({ sessionKey: KEY });
      let failed = 0;
      const refused = onDisk(({ name, path }) => {
        if (!WRITES.includes(name) || !path.startsWith(dir)) return;
        failed += 1;
        throw diskError(code);
      }, begin);
      await expect(refused, code).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
      expect(failed).toBeGreaterThan(0);
      expect([run.isCurrent(), grant.isHeld()]).toEqual([true, true]);
      expect(control.runs.session(KEY).activeRunIds).toEqual([run.id]);
      const begun = await begin();
      if (begun.status !== 'started') throw new Error(begun.status);
      expect(begun.run.generation).toBeGreaterThan(grant.token);
      begun.run.complete();
      await other.drain({ graceMs: 0 });
    });
  }
  await halfWritten();
}

async function halfWritten(): Promise<void> {
  await holding(async ({ dir, control, run, grant }) => {
    const { folder: chain, last } = await numberedRecords(dir, KEY);
    const broken = join(chain, recordName(last + 1));
    await writeFile(broken, '{"state":{"memory":{"coun');
    const other = controlOn(dir);
    const asking = other.runs.begin({ sessionKey: KEY });
    await expect(asking).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect(control.runs.session(KEY).activeRunIds).toEqual([run.id]);
    unlinkSync(broken);
    const begun = await other.runs.begin({ sessionKey: KEY });
    if (begun.status !== 'started') throw new Error(begun.status);
    expect(begun.run.generation).toBeGreaterThan(grant.token);
    begun.run.complete();
    await other.drain({ graceMs: 0 });
  });
}
