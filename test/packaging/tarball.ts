import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Entry } from '../../tools/entries.js';
import { root } from '../../tools/entries.js';
import { brokenLinks } from '../docs/pages.js';
import { listFiles } from './files.js';

const run = promisify(execFile);

export interface Ran {
  readonly code: number;
  readonly output: string;
}

/** Runs a program to its end; a failing exit is an answer. */
export async function exec(program: string, args: readonly string[], cwd: string): Promise<Ran> {
  try {
    const { stdout, stderr } = await run(program, args, { cwd, maxBuffer: 1 << 26 });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { code, output: stdout + stderr };
  }
}

/** Runs a tool of our own node_modules. */
export function tool(name: string, args: readonly string[], cwd: string): Promise<Ran> {
  return exec(join(root, 'node_modules/.bin', name), args, cwd);
}

/** Packs the package in `from` into an empty folder and answers the tarball's path. */
export async function pack(from: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runfence-pack-'));
  // No scripts: `prepack` would build `dist` anew under the tests that read it.
  const { code, output } = await exec(
    'npm',
    ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder],
    from,
  );
  if (code !== 0) throw new Error(output);
  return join(folder, output.trim().split('\n').at(-1) ?? '');
}

/** The paths of the files in a tarball. */
export async function tarballFiles(tarball: string): Promise<string[]> {
  const { output } = await exec('tar', ['-tzf', tarball], tmpdir());
  return output
    .split('\n')
    .flatMap((line) => (line === '' || line.endsWith('/') ? [] : [line.replace('package/', '')]));
}

/** Files that are missing from the tarball, or that nothing explains. */
export function fileProblems(files: readonly string[], entries: readonly Entry[]): string[] {
  const plain = (path: string): string => path.replace('./', '');
  const required = [
    'package.json',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    ...entries.flatMap(({ js, types }) => [plain(js), `${plain(js)}.map`, plain(types)]),
  ];
  const guide =
    /^(docs|examples)\/(?!site\/)[\w/[\]-]+(\.test|\.config)?\.(md|svg|png|css|html|json|tsx?|m?js|txt|yaml)$/;
  const shared = /^dist\/[\w-]+-[\w-]{8}\.(js|js\.map|d\.ts)$/;
  return [
    ...required.filter((path) => !files.includes(path)).map((path) => `${path} is missing`),
    ...files
      .filter((path) => !required.includes(path) && !shared.test(path) && !guide.test(path))
      .map((path) => `${path} is not expected`),
  ];
}

/** Optional peers that an entry imports when it is loaded. */
const PEERS = ['ws'];

/** An empty folder with the tarball installed in it, as a stranger would, and the peers of those who use them. */
export async function installed(tarball: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runfence-consumer-'));
  await writeFile(join(folder, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n');
  const { code, output } = await exec(
    'npm',
    ['install', tarball, '--no-audit', '--no-fund', '--prefer-offline'],
    folder,
  );
  if (code !== 0) throw new Error(output);
  for (const peer of PEERS) await symlink(join(root, 'node_modules', peer), join(folder, 'node_modules', peer));
  return folder;
}

/** The links of all pages of an installed package that lead nowhere. */
export function deadLinks(folder: string): string[] {
  const pages = listFiles(folder)
    .filter((path) => path.endsWith('.md'))
    .map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }));
  return brokenLinks(folder, pages);
}

/** Type-checks a consumer's file in a folder, declarations of its packages included. */
export async function typeCheck(folder: string, text: string, options: Record<string, unknown>): Promise<Ran> {
  await writeFile(join(folder, 'consumer.ts'), text);
  const compilerOptions = { target: 'ES2022', strict: true, noEmit: true, skipLibCheck: false, types: [], ...options };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
  return tool('tsc', ['-p', folder], folder);
}
