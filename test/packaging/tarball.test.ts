import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readEntries, root } from '../../tools/entries.js';
import { linksOf } from '../docs/pages.js';
import { deadLinks, exec, fileProblems, installed, pack, tarballFiles, tool, typeCheck } from './tarball.js';

const entries = readEntries();
const names = entries.map(({ name }) => name);
const nodeNext = { module: 'NodeNext', lib: ['ES2022', 'DOM', 'ESNext.Disposable'] };
const bundler = { module: 'ESNext', moduleResolution: 'Bundler', lib: ['ES2022', 'DOM', 'ESNext.Disposable'] };
const nodeOnly = {
  module: 'NodeNext',
  lib: ['ES2023'],
  types: ['node'],
  typeRoots: [join(root, 'node_modules/@types')],
};
const importAll = (of: readonly string[]): string =>
  of.map((name, index) => `import * as entry${index} from '${name}';\nvoid entry${index};\n`).join('');
/** Their types are about sockets and servers of Node. */
const OF_NODE = ['runfence/node', 'runfence/ws'];
const anywhere = names.filter((name) => !OF_NODE.includes(name));

describe('the packed tarball', () => {
  let tarball: string;
  let consumer: string;
  beforeAll(async () => {
    tarball = await pack(root);
    consumer = await installed(tarball);
  });
  afterAll(async () => {
    await rm(dirname(tarball), { recursive: true });
    await rm(consumer, { recursive: true });
  });

  test('holds the files of every entry, the papers, and nothing else', async () => {
    expect(fileProblems(await tarballFiles(tarball), entries)).toEqual([]);
  });

  test('has no page with a link that leads nowhere', () => {
    const folder = join(consumer, 'node_modules/runfence');
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    expect(linksOf(readme).filter(({ target }) => !target.startsWith('http')).length).toBeGreaterThan(20);
    expect(deadLinks(folder)).toEqual([]);
  });

  test('says where its sources, its page and its issues are', () => {
    const { repository, homepage, bugs } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      repository: { url: string };
      homepage: string;
      bugs: string;
    };
    const project = homepage.replace(/#.*/, '');
    expect(project).toMatch(/^https:\/\/github\.com\/[\w-]+\/runfence$/);
    expect(repository.url).toBe(`git+${project}.git`);
    expect(bugs).toBe(`${project}/issues`);
  });

  test.each(names)('%s can be imported from an ES module', async (name) => {
    const script = `import * as entry from '${name}'; if (Object.keys(entry).length === 0) throw new Error('empty');`;
    expect(await exec('node', ['--input-type=module', '-e', script], consumer)).toEqual({ code: 0, output: '' });
  });

  test.each(names)('%s can be loaded by require(), as the same module', async (name) => {
    const script = `const entry = require('${name}');
      if (Object.keys(entry).length === 0) throw new Error('empty');
      import('${name}').then((module) => { if (module !== entry) throw new Error('two copies'); });`;
    expect(await exec('node', ['--input-type=commonjs', '-e', script], consumer)).toEqual({ code: 0, output: '' });
  });

  test.each([
    ['NodeNext without the types of Node', nodeNext, anywhere],
    ['Bundler without the types of Node', bundler, anywhere],
    ['NodeNext with the types of Node and without those of the browser', nodeOnly, names],
  ])('type-checks with skipLibCheck: false under %s', async (_title, options, of) => {
    expect(await typeCheck(consumer, importAll(of), options)).toEqual({ code: 0, output: '' });
  });

  test('passes publint --strict', async () => {
    const { code, output } = await tool('publint', [tarball, '--strict'], root);
    expect(code, output).toBe(0);
  });

  test('passes are-the-types-wrong for an ESM-only package', async () => {
    const { code, output } = await tool('attw', [tarball, '--profile', 'esm-only'], root);
    expect(code, output).toBe(0);
  });
});

describe('a bad package is refused:', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'runfence-bad-'));
    const put = async (path: string, text: string): Promise<void> => {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    };
    const types = 'export declare function f(file: import("node:fs").Stats): Missing;\n';
    await put(
      'package.json',
      JSON.stringify({
        name: 'bad',
        version: '1.0.0',
        type: 'module',
        exports: { '.': { default: './dist/index.js', types: './dist/index.d.cts' } },
      }),
    );
    await put('dist/index.js', 'export const f = () => {};\n');
    await put('dist/index.d.cts', types);
    await put('node_modules/bad/package.json', JSON.stringify({ name: 'bad', type: 'module', types: 'index.d.ts' }));
    await put('node_modules/bad/index.d.ts', types);
    await put('secret.txt', 'x');
    await put('README.md', 'See [the guide](docs/guide.md) and [another](docs/none.md).\n');
    await put('docs/guide.md', '# Guide\n\n[Part](#part)\n');
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('files', async () => {
    const problems = fileProblems(['package.json', 'secret.txt', 'dist/index.js', 'dist/chunk-ABCD1234.js'], entries);
    expect(problems).toContain('secret.txt is not expected');
    expect(problems).toContain('LICENSE is missing');
    expect(problems).toContain('dist/index.d.ts is missing');
    expect(problems).not.toContain('dist/chunk-ABCD1234.js is not expected');
  });

  test('links', () => {
    expect(deadLinks(folder)).toEqual([
      'README.md:1: docs/none.md does not exist',
      'docs/guide.md:3: #part has no such heading',
    ]);
  });

  test('types', async () => {
    const text = "import { f } from 'bad';\nvoid f;\n";
    const { code, output } = await typeCheck(folder, text, nodeNext);
    expect(code).not.toBe(0);
    expect(output).toContain("Cannot find module 'node:fs'");
    expect(output).toContain("Cannot find name 'Missing'");
  });

  test('publint and are-the-types-wrong', async () => {
    const tarball = await pack(folder);
    expect(await tarballFiles(tarball)).toContain('secret.txt');
    expect((await tool('publint', [tarball, '--strict'], root)).code).not.toBe(0);
    expect((await tool('attw', [tarball, '--profile', 'esm-only'], root)).code).not.toBe(0);
    await rm(dirname(tarball), { recursive: true });
  });
});
