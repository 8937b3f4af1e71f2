import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ErrorCode, RunfenceError } from 'runfence';
import { describe, expect, test } from 'vitest';
import { readEntries, root } from '../../tools/entries.js';
import {
  anchorsOf,
  brokenLinks,
  codesOn,
  differences,
  exportsOf,
  guidesOf,
  linksOf,
  namesIn,
  type Page,
  rowsOn,
  strangeCopies,
  unreachable,
  untitled,
} from './pages.js';
import { findBlocks, snippetFolder } from './snippets.js';

const INDEX = 'docs/index.md';
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pageOf = (path: string): Page => ({ path, text: read(path) });

const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.md') && name !== 'site/landing.md');
const examples = readdirSync(join(root, 'examples')).map((name) => `examples/${name}/README.md`);
const guides = docs.sort().map((name) => pageOf(`docs/${name}`));
const pages = [
  pageOf('README.md'),
  pageOf('CONTRIBUTING.md'),
  pageOf('SECURITY.md'),
  pageOf('CHANGELOG.md'),
  ...guides,
  ...examples.filter((path) => existsSync(join(root, path))).map(pageOf),
];

describe('the pages', () => {
  test('every example has a README', () => {
    expect(examples.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test('README.md stays short', () => {
    expect(read('README.md').split(/\s+/).filter(Boolean).length).toBeLessThanOrEqual(1_000);
  });

  test('no link leads nowhere', () => {
    expect(brokenLinks(root, pages)).toEqual([]);
    const links = pages.flatMap(({ text }) => linksOf(text));
    const outside = links.filter(({ target }) => target.startsWith('http'));
    const shown = findBlocks(root).filter(({ file }) => file.startsWith('docs/'));
    process.stdout.write(
      `pages: ${pages.length}, ${guides.length} of them guides with ${shown.length} blocks; ` +
        `links: ${links.length - outside.length} checked, ${outside.length} to other sites\n`,
    );
  });

  test('each is reached from the README or the index', () => {
    expect(unreachable(pages, ['README.md', INDEX])).toEqual([]);
  });

  test('the site has them in the order of the index', () => {
    const { projectDocuments } = JSON.parse(read('typedoc.json')) as { projectDocuments: string[] };
    expect(projectDocuments).toEqual([INDEX, ...guidesOf(pageOf(INDEX))]);
    const rest = [...examples, 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'];
    expect([...projectDocuments].sort()).toEqual([...guides.map(({ path }) => path), ...rest].sort());
  });

  test('the site calls them what they call themselves', () => {
    expect(guides.flatMap(untitled)).toEqual([]);
  });

  test('the site has a group for every export, and no other name', () => {
    const reference = JSON.parse(read('docs/site/reference.json')) as Record<
      string,
      Record<string, { line: string; names: string[] }>
    >;
    const sources = readEntries().map(({ name, js }) => [name, js.replace('./dist/', 'src/').replace(/js$/, 'ts')]);
    expect(Object.keys(reference).sort()).toEqual(sources.map(([name]) => name).sort());
    for (const [name = '', source = ''] of sources) {
      const groups = Object.values(reference[name] ?? {});
      expect(groups.every(({ line }) => line.endsWith('.'))).toBe(true);
      expect(
        differences(
          exportsOf(read(source)),
          groups.flatMap(({ names }) => names),
        ),
      ).toEqual([]);
    }
  });

  test('no link of the landing page of the site leads nowhere', () => {
    expect(brokenLinks(root, [...pages, pageOf('docs/site/landing.md')])).toEqual([]);
  });

  test('copies are what the file has', () => {
    expect(strangeCopies(pages, read)).toEqual([]);
  });

  test('the link of every error leads to a heading of docs/error-codes.md, in the repository of package.json', () => {
    const { repository, homepage } = JSON.parse(read('package.json')) as {
      repository: { url: string };
      homepage: string;
    };
    const home = repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
    expect(homepage).toBe(`${home}#readme`);
    const page = read('docs/error-codes.md');
    // As GitHub makes anchors of headings.
    const anchors = codesOn(page).map((code) => `${home}/blob/main/docs/error-codes.md#${code.toLowerCase()}`);
    const links = namesIn(read('src/core/internal/errors.ts'), 'ErrorCode').map(
      (code) => new RunfenceError(code as ErrorCode, '').docsUrl,
    );
    expect(links.toSorted()).toEqual(anchors.toSorted());
    for (const link of page.match(/https:\S+error-codes\.md#\w+/g) ?? []) expect(anchors).toContain(link);
  });

  test('docs/error-codes.md has every code, and no other', () => {
    expect(
      differences(namesIn(read('src/core/internal/errors.ts'), 'ErrorCode'), codesOn(read('docs/error-codes.md'))),
    ).toEqual([]);
  });

  test('docs/events.md has every event, and no other', () => {
    expect(differences(namesIn(read('src/core/events.ts'), 'RunEvents'), rowsOn(read('docs/events.md')))).toEqual([]);
  });
});

describe('the check of links', () => {
  const folder = snippetFolder(root, 'page-samples');
  mkdirSync(join(folder, 'docs'));
  writeFileSync(join(folder, 'docs/a.svg'), '<svg/>');
  const files: Record<string, string> = {
    'README.md': '# One\n\n## `two()`, and more!\n\n## One\n\n[a](docs/a.md)\n',
    'docs/a.md': '# A\n\n[back](../README.md)\n',
  };
  writeFileSync(join(folder, 'docs/b.md'), '# The sample');
  for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text);
  const check = (text: string): string[] =>
    brokenLinks(folder, [
      ...Object.entries(files).map(([path, content]) => ({ path, text: content })),
      { path: 'docs/b.md', text },
    ]);

  test.each([
    '[a](a.md)',
    '[one](../README.md#one)',
    '[one](../README.md#one-1)',
    '[`two`](../README.md#two-and-more)',
    '# Here\n[here](#here)',
    '![a picture](a.svg)',
    '[folder](../docs)',
    '[site](https://example.com/none)',
    '```\n[code](none.md)\n```',
    '`[code](none.md)`',
  ])('lets %j pass', (text) => {
    expect(check(text)).toEqual([]);
  });

  test.each([
    ['a file that is not there', 'text\n[a](none.md)', 'docs/b.md:2: none.md does not exist'],
    ['what is outside', '[a](../../none.md)', 'docs/b.md:1: ../../none.md does not exist'],
    ['a heading that is not there', '[a](../README.md#three)', 'docs/b.md:1: ../README.md#three has no such heading'],
    ['a heading that is code', '```\n# Here\n```\n[a](#here)', 'docs/b.md:4: #here has no such heading'],
    ['an anchor of a picture', '[a](a.svg#one)', 'docs/b.md:1: a.svg#one has an anchor in what is no page'],
    ['a picture without a text', '![](a.svg)', 'docs/b.md:1: a.svg has no text'],
    ['a folder as a picture', '![a](../docs)', 'docs/b.md:1: ../docs is no picture'],
    ['the second of two on a line', '[a](a.md) [b](none.md)', 'docs/b.md:1: none.md does not exist'],
    ['a link that is code', '[`a`](none.md)', 'docs/b.md:1: none.md does not exist'],
  ])('tells of %s', (_what, text, trouble) => {
    expect(check(text)).toEqual([trouble]);
  });

  test('tells of a page that is not reached', () => {
    const list = Object.entries(files).map(([path, text]) => ({ path, text }));
    expect(unreachable(list, ['README.md'])).toEqual([]);
    expect(unreachable(list, ['docs/a.md'])).toEqual([]);
    expect(unreachable([...list, { path: 'docs/b.md', text: '[a](a.md)' }], ['README.md'])).toEqual(['docs/b.md']);
  });

  test('makes the anchors that GitHub makes', () => {
    const headings = ['# A', '## `a`', '## RUN_ID: What? (1.2)', '## [A link](a.md) — and ü'];
    expect([...anchorsOf(headings.join('\n'))]).toEqual(['a', 'a-1', 'run_id-what-12', 'a-link--and-ü']);
  });
});

describe('the other checks', () => {
  test('take guides in the order of their links', () => {
    const text = '[b](b.md#x) [a](a.md), [b](b.md), [c](../README.md), [d](https://example.com/d.md), [e](e/f.md)';
    expect(guidesOf({ path: INDEX, text })).toEqual(['docs/b.md', 'docs/a.md', 'docs/e/f.md']);
  });

  test.each([
    ['another title', '---\ntitle: A\n---\n\n# B\n'],
    ['no title', '# B\n'],
    ['no heading', '---\ntitle: A\n---\n'],
  ])('tell of %s', (_what, text) => {
    expect(untitled({ path: 'a.md', text })).toHaveLength(1);
    expect(untitled({ path: 'a.md', text: '---\ntitle: A\n---\n\n# A\n' })).toEqual([]);
  });

  test('tell of a copy that differs', () => {
    const page = (block: string): Page => ({
      path: 'a.md',
      text: `<!-- from: out.txt -->\n\`\`\`\n${block}\n\`\`\`\n`,
    });
    expect(strangeCopies([page('one')], () => 'one\n')).toEqual([]);
    expect(strangeCopies([page('two')], () => 'one\n')).toEqual(['a.md: the block is not out.txt']);
  });

  test('tell of a name that is missing, surplus or twice', () => {
    const source = "export type Code =\n  /** One; two. */\n  | 'A'\n  | 'B';\nexport interface Map { 'a:b': A }";
    expect(namesIn(source, 'Code')).toEqual(['A', 'B']);
    expect(namesIn(source, 'Map')).toEqual(['a:b']);
    expect(() => namesIn(source, 'None')).toThrow('None');
    const entry =
      "export { a, type B as C } from './a.js';\nexport interface D {}\nexport function e() {}\nfunction f() {}";
    expect(exportsOf(entry)).toEqual(['a', 'C', 'D', 'e']);
    expect(codesOn('## A\n## Not one\n```\n## C\n```\n## B')).toEqual(['A', 'B']);
    expect(rowsOn('| name | |\n|---|---|\n| `a:b` | x |')).toEqual(['a:b']);
    expect(differences(['A', 'B'], ['A', 'B'])).toEqual([]);
    expect(differences(['A', 'B'], ['A', 'A', 'C'])).toEqual([
      'B is missing on the page',
      'C is only on the page',
      'A is twice on the page',
    ]);
  });
});
