import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../entries.js';
import type { Mutant } from './mutant.js';

const COPIED = /^(src|test|tools|examples|package\.json|tsconfig.*\.json|(vitest|tsup)\.config\.ts)$/;

/** An empty folder outside the project: nothing that runs in it can touch the sources. */
export function scratchFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'runfence-mutants-'));
}

export function removeFolder(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Copies what the tests and the demo need. */
export async function copyProject(to: string): Promise<void> {
  await mkdir(join(to, 'node_modules'), { recursive: true });
  for (const name of await readdir(root)) {
    if (COPIED.test(name)) {
      await cp(join(root, name), join(to, name), {
        recursive: true,
        filter: (source) => !source.endsWith('node_modules'),
      });
    }
  }
  for (const entry of await readdir(join(root, 'node_modules'), { withFileTypes: true })) {
    const [from, link] = [join(root, 'node_modules', entry.name), join(to, 'node_modules', entry.name)];
    // A workspace's link is relative: as it is, it points into the copy. A link to ours would run what is not mutated.
    if (entry.isSymbolicLink()) await symlink(await readlink(from), link);
    // Caches are written to: each copy has its own.
    else if (!entry.name.startsWith('.vite')) await symlink(from, link);
  }
}

/** Makes the edits in the copy. Returns what undoes them. */
export async function apply({ file, edits }: Mutant, copy: string): Promise<() => Promise<void>> {
  const path = join(copy, file);
  const original = await readFile(path, 'utf8');
  let source = original;
  for (const [find, replace] of edits) source = replaceOnce(source, find, replace);
  await writeFile(path, source);
  return () => writeFile(path, original);
}

/** @throws if the text is not there exactly once: a mutant that no longer applies must not look like one that was killed */
export function replaceOnce(source: string, find: string, replace: string): string {
  const parts = source.split(find);
  if (parts.length !== 2)
    throw new Error(`This text is there ${parts.length - 1} times, and must be there once:\n${find}`);
  return parts.join(replace);
}
