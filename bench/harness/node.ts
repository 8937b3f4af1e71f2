import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// Seen from `bench/dist`, where the bundle is.
const cache = fileURLToPath(new URL('../../.cache/', import.meta.url));

/** The binary of another Node version, which npm's package `node` brings; installed if it is missing, as .ci/run does. */
export function nodeBinary(version: string): string {
  if (!/^\d+$/.test(version)) throw new Error(`--node takes a major version, such as 24: got ${version}.`);
  const folder = `${cache}node${version}`;
  const binary = `${folder}/node_modules/node/bin/node`;
  if (!existsSync(binary)) {
    console.error(`installing node ${version} in .cache/node${version}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/package.json`, '{ "private": true, "allowScripts": { "node": true } }\n');
    const install = ['install', '--prefix', folder, '--no-audit', '--no-fund', `node@${version}`];
    execFileSync('npm', install, { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return binary;
}
