import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders: string[] = [];
/** In memory where there is such a thing: the disk is not what most tests are about. */
const root = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A folder that is removed after the test. */
export function folder(under: string = root): string {
  const dir = mkdtempSync(join(under, 'runfence-test-'));
  folders.push(dir);
  return dir;
}

export function removeFolders(): void {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true, force: true });
}

/** The files below a folder, by their paths in it. */
export function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort();
}
