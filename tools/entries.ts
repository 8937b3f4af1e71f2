import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('..', import.meta.url));

/** One public entry: the name it is imported by, and its files relative to the package. */
export interface Entry {
  readonly name: string;
  readonly js: string;
  readonly types: string;
}

export interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}

export function readManifest(): Manifest {
  return JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Manifest;
}

/** The entries of package.json's `exports`, without plain files such as `./package.json`. */
export function readEntries(manifest: Manifest = readManifest()): Entry[] {
  return Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    typeof target === 'string'
      ? []
      : [{ name: manifest.name + subpath.slice(1), js: target.default, types: target.types }],
  );
}
