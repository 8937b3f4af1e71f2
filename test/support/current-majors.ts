import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Plugin } from 'vitest/config';

/**
 * `CURRENT=.cache/current`: what is imported of the packages that are installed there comes from there. They are the
 * current majors of optional peers, which need a newer Node than development runs on.
 */
export function currentMajors(folder: string | undefined = process.env.CURRENT): Plugin | false {
  if (folder === undefined) return false;
  const manifest = resolve(folder, 'package.json');
  const { dependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies?: Record<string, string> };
  const names = Object.keys(dependencies);
  if (names.length === 0) throw new Error(`${manifest} has no dependencies: nothing would be tested.`);
  return {
    name: 'current-majors',
    enforce: 'pre',
    async resolveId(id, importer, options) {
      if (importer === manifest || !names.some((name) => id === name || id.startsWith(`${name}/`))) return null;
      const found = await this.resolve(id, manifest, { ...options, skipSelf: true });
      if (found?.id.startsWith(resolve(folder)) !== true) throw new Error(`${folder} has no ${id}.`);
      return found;
    },
  };
}
