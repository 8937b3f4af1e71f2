import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Folder } from '../../src/files/folder.js';
import { filesIn, folder } from './support/folders.js';
import { backendIn } from './support/nodes.js';
import { claimOf, granted, lockOf, stopOf } from './support/requests.js';

const read = (dir: string): Promise<unknown> => Promise.resolve(backendIn(dir).readActive());
const refused = (message: string): object => ({ message: expect.stringContaining(message) });

describe('F13: what is not ours', () => {
  test('a folder that holds something else is refused, and stays as it is', async () => {
    const dir = folder();
    mkdirSync(join(dir, 'drafts'));
    writeFileSync(join(dir, 'drafts', 'thesis.txt'), 'ten years of work');
    await expect(read(dir)).rejects.toMatchObject(refused('is not empty, and not a folder of runfence'));
    writeFileSync(join(dir, 'notes.txt'), 'mine');
    await expect(read(dir)).rejects.toMatchObject(refused('give a folder of its own'));
    expect(filesIn(dir)).toEqual(['drafts/thesis.txt', 'notes.txt']);
    expect(readFileSync(join(dir, 'drafts', 'thesis.txt'), 'utf8')).toBe('ten years of work');
  });

  test('a file among our drafts that is not one of them stays', async () => {
    const dir = folder();
    await read(dir);
    const beat = '00000000-0000-4000-8000-000000000000';
    const others = ['thesis.txt', `${beat}-thesis.txt`, `${beat}-sessions-00`, `x${beat}-sessions-00-1`];
    for (const name of others) writeFileSync(join(dir, 'drafts', name), '');
    // One of a process that left nothing else is dead.
    writeFileSync(join(dir, 'drafts', `${beat}-sessions-00-1`), '');
    await read(dir);
    expect(readdirSync(join(dir, 'drafts')).sort()).toEqual(others.sort());
  });

  test('a draft of a live process stays', async () => {
    const dir = folder();
    await granted(backendIn(dir), 'a');
    const [beat = ''] = readdirSync(join(dir, 'nodes')).map((name) => name.split('.')[0] ?? '');
    writeFileSync(join(dir, 'drafts', `${beat}-sessions-00-1`), '');
    await read(dir);
    expect(readdirSync(join(dir, 'drafts'))).toEqual([`${beat}-sessions-00-1`]);
  });

  test.each(['drafts', 'nodes', 'sessions', 'ids', 'list'])(
    'a link in the place of %s is not followed',
    async (part) => {
      const [dir, elsewhere] = [folder(), folder()];
      writeFileSync(join(elsewhere, 'thesis.txt'), 'ten years of work');
      await read(dir);
      rmSync(join(dir, part), { recursive: true });
      symlinkSync(elsewhere, join(dir, part));
      await expect(read(dir)).rejects.toMatchObject(refused('is a symbolic link'));
      // Also before there is anything else.
      const empty = folder();
      symlinkSync(elsewhere, join(empty, part));
      await expect(read(empty)).rejects.toMatchObject(refused('is a symbolic link'));
      expect(readdirSync(elsewhere)).toEqual(['thesis.txt']);
    },
  );

  test('a link in the place of the folder is followed to one that is ours or empty, if it is no stranger’s', async () => {
    const [dir, elsewhere] = [folder(), folder()];
    writeFileSync(join(elsewhere, 'thesis.txt'), 'ten years of work');
    const link = join(dir, 'link');
    symlinkSync(elsewhere, link);
    await expect(read(link)).rejects.toMatchObject(refused('is not empty, and not a folder of runfence'));
    expect(readdirSync(elsewhere)).toEqual(['thesis.txt']);
    const empty = folder();
    symlinkSync(empty, join(dir, 'own'));
    expect(await read(join(dir, 'own'))).toEqual([]);
    // Only root can give a link away.
    if (process.getuid?.() !== 0) return;
    symlinkSync(empty, join(dir, 'planted'));
    lchownSync(join(dir, 'planted'), 65_534, 65_534);
    await expect(read(join(dir, 'planted'))).rejects.toMatchObject(refused('is a symbolic link of user 65534'));
    chownSync(empty, 65_534, 65_534);
    await expect(read(empty)).rejects.toMatchObject(refused('belongs to user 65534'));
  });

  test('a marker of something else, or one that is a link, is refused', async () => {
    const [dir, other] = [folder(), folder()];
    writeFileSync(join(dir, 'store'), 'runfence files 1');
    await expect(read(dir)).rejects.toMatchObject(refused('holds something else ("runfence files 1")'));
    writeFileSync(join(other, 'real'), 'runfence files 2 0123456789ab');
    symlinkSync('real', join(other, 'store'));
    await expect(read(other)).rejects.toMatchObject(refused('remove it'));
  });
});

describe('F20: who may read and write', () => {
  test('nobody else may look into the folder, or at a file in it', async () => {
    const before = process.umask(0);
    try {
      const dir = join(folder(), 'deep', 'store');
      const backend = backendIn(dir, { durable: true });
      const { generation } = await granted(backend, 'a', { owner: { userId: 'secret' } });
      await backend.lock(lockOf('a', generation));
      await backend.stop(stopOf('b'));
      await backend.claim(claimOf('b'));
      const found = readdirSync(dir, { recursive: true, withFileTypes: true });
      expect(found.length).toBeGreaterThan(10);
      expect((lstatSync(dir).mode & 0o777).toString(8)).toBe('700');
      for (const entry of found) {
        if (entry.isSymbolicLink()) continue;
        const { mode } = lstatSync(join(entry.parentPath, entry.name));
        expect(`${entry.name} ${(mode & 0o777).toString(8)}`).toBe(`${entry.name} ${entry.isDirectory() ? 700 : 600}`);
      }
    } finally {
      process.umask(before);
    }
  });

  test('an empty folder that others may read is closed to them', async () => {
    const dir = folder();
    chmodSync(dir, 0o755);
    await read(dir);
    expect((lstatSync(dir).mode & 0o777).toString(8)).toBe('700');
  });

  test.each([0o777, 0o775, 0o1777])('a folder that others may write to is refused: %o', async (mode) => {
    const dir = folder();
    chmodSync(dir, mode);
    await expect(read(dir)).rejects.toMatchObject(refused('can be written by other users'));
    const parts = folder();
    await read(parts);
    chmodSync(join(parts, 'sessions'), mode);
    await expect(read(parts)).rejects.toMatchObject(refused('run chmod 700 on it'));
  });
});

describe('F22: a folder that is deleted while it is in use', () => {
  test.each([
    ['and stays away', (_dir: string) => {}],
    ['and is made anew by hand', (dir: string) => mkdirSync(dir)],
    [
      'and is made anew by another process',
      async (dir: string) => void (await granted(backendIn(dir), 'b', { sessionKey: 't' })),
    ],
  ])('%s: no number is handed out again, in no session', async (_how, after) => {
    const dir = join(folder(), 'store');
    const backend = backendIn(dir);
    await granted(backend, 'a');
    rmSync(dir, { recursive: true });
    await after(dir);
    const lost = refused('was deleted while it was in use');
    await expect(backend.claim(claimOf('a', { sessionKey: 'never used', runId: 'next' }))).rejects.toMatchObject(lost);
    await expect(backend.stop(stopOf('a'))).rejects.toMatchObject(lost);
    // Once it has missed its heartbeat, nothing else is begun either.
    await new Promise((done) => setTimeout(done, 1_200));
    await expect(backend.claim(claimOf('a', { sessionKey: 'not this one', runId: 'next' }))).rejects.toMatchObject(
      lost,
    );
    if (existsSync(join(dir, 'sessions'))) expect(await read(dir)).toMatchObject([{ nodeId: 'b' }]);
    mkdirSync(dir, { recursive: true });
  });

  test('a part of it that is missing is a loss, and is not made anew', async () => {
    const dir = folder();
    await granted(backendIn(dir), 'a');
    renameSync(join(dir, 'sessions'), join(folder(), 'moved'));
    await expect(read(dir)).rejects.toMatchObject(refused('was deleted while it was in use'));
  });
});

test('processes that open a new folder at once have the same store', async () => {
  for (let i = 0; i < 20; i++) {
    const dir = join(folder(), 'store');
    const opened = Array.from({ length: 8 }, () => new Folder(dir, false));
    await Promise.all(opened.map((one) => one.open()));
    expect(new Set(opened.map(({ store }) => store)).size).toBe(1);
    expect(readdirSync(dir).sort()).toEqual(['drafts', 'ids', 'list', 'nodes', 'sessions', 'store']);
  }
});
