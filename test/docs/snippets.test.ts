import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { root } from '../../tools/entries.js';
import {
  type Block,
  compileErrors,
  docstringBlocks,
  findBlocks,
  markdownBlocks,
  snippetFolder,
  writeSnippet,
} from './snippets.js';

// The platform's own only prints: an example whose claim does not hold has to fail.
console.assert = (holds?: boolean, ...message: unknown[]) => {
  if (holds !== true) throw new Error(`an assertion of the example does not hold ${message.join(' ')}`);
};

const preludes = join(root, 'test/docs/preludes');
const folder = snippetFolder(root, 'snippets');
const blocks = findBlocks(root).map((block) => ({
  ...block,
  title: `${block.file}:${block.line}`,
  snippet: writeSnippet(block, folder, preludes),
}));
const errors = compileErrors(
  root,
  blocks.map(({ snippet }) => snippet),
);

test('README.md shows code', () => {
  expect(blocks.some(({ file }) => file === 'README.md')).toBe(true);
});

/** Runs a block. Answers what it printed. */
async function run(path: string): Promise<string> {
  const lines: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => {
    lines.push(`${format(...values)}\n`);
  });
  try {
    await import(/* @vite-ignore */ path);
  } finally {
    log.mockRestore();
  }
  return lines.join('');
}

describe.each(blocks)('$title', ({ snippet, compileOnly, output }) => {
  test('compiles', () => {
    expect(errors.get(snippet)).toEqual([]);
  });

  if (!compileOnly) {
    test('runs', async () => {
      const printed = await run(snippet.path);
      if (output !== undefined) expect(printed).toBe(output);
    });
  }
});

describe('the reader of blocks', () => {
  test('takes the ts blocks of a page, with their line, mark and prelude', () => {
    const page = [
      '# Page',
      '```ts',
      'one();',
      '```',
      '<!-- prelude: server -->',
      '',
      '```ts compile-only',
      'two();',
      '```',
      '```sh',
      'npm ci',
      '```',
      '```tsx',
      '```',
    ].join('\n');
    expect(markdownBlocks('page.md', page)).toEqual([
      { file: 'page.md', line: 3, code: 'one();\n', compileOnly: false, prelude: undefined },
      { file: 'page.md', line: 8, code: 'two();\n', compileOnly: true, prelude: 'server' },
    ]);
  });

  test('takes what the last block before it prints', () => {
    const shown = ['<!-- output -->', '```', 'one', '```'];
    const outputs = (...lines: string[]) => markdownBlocks('page.md', lines.join('\n')).map(({ output }) => output);
    expect(outputs('```ts', '```', 'It prints:', ...shown, '```ts', '```')).toEqual(['one\n', undefined]);
    expect(outputs('```ts', '```', '```sh', 'tsx a.ts', '```', ...shown)).toEqual(['one\n']);
    expect(outputs('```ts', '```', '```ts', '```', ...shown)).toEqual([undefined, 'one\n']);
    expect(outputs('```ts', '```', ...shown.slice(1))).toEqual([undefined]);
  });

  test('takes the blocks of docstrings and of no other comment', () => {
    const source = [
      'const a = 1; // ```ts',
      '  /**',
      '   * Says.',
      '   *',
      '   * @example',
      '   * ```ts',
      '   * if (a) {',
      '   *   b();',
      '   * }',
      '   * ```',
      '   */',
      '/* ```ts',
      '```',
      '*/',
    ].join('\n');
    expect(docstringBlocks('a.ts', source)).toEqual([
      { file: 'a.ts', line: 7, code: 'if (a) {\n  b();\n}\n', compileOnly: false, prelude: undefined },
    ]);
  });
});

describe('a block', () => {
  const samples = snippetFolder(root, 'snippet-samples');
  const sample = (line: number, code: string, prelude?: string): Block => ({
    file: 'sample.md',
    line,
    code,
    compileOnly: false,
    prelude,
    output: undefined,
  });

  test('that does not compile is an error with its line, prelude or not', () => {
    writeFileSync(join(samples, 'wrap.ts'), 'const given = 1;\n// ---\nconst used: number = own;\n');
    const good = writeSnippet(sample(1, 'const own = given;\n', 'wrap'), samples, samples);
    const wrong = writeSnippet(sample(2, 'const own = given;\nown.missing();\n', 'wrap'), samples, samples);
    const alone = writeSnippet(sample(3, "import { noSuchExport } from 'runfence';\n"), samples, samples);
    const broken = writeSnippet(sample(4, 'const = 1;\n'), samples, samples);
    const found = compileErrors(root, [good, wrong, alone, broken]);
    expect(found.get(good)).toEqual([]);
    expect(found.get(wrong)).toEqual([expect.stringMatching(/^line 2 of the block: Property 'missing'/)]);
    expect(found.get(alone)).toEqual([expect.stringContaining("no exported member 'noSuchExport'")]);
    expect(found.get(broken)).not.toEqual([]);
  });

  test('that throws fails when it is run', async () => {
    const { path } = writeSnippet(sample(5, "await Promise.reject(new Error('from the block'));\n"), samples, samples);
    await expect(import(/* @vite-ignore */ path)).rejects.toThrow('from the block');
  });

  test('whose assertion does not hold fails when it is run', async () => {
    const { path } = writeSnippet(sample(7, 'console.assert(1 > 2);\n'), samples, samples);
    await expect(import(/* @vite-ignore */ path)).rejects.toThrow('does not hold');
  });

  test('that prints is heard, and other text than the page shows is told', async () => {
    const { path } = writeSnippet(sample(8, "console.log('one', { two: 2 });\nconsole.log();\n"), samples, samples);
    expect(await run(path)).toBe('one { two: 2 }\n\n');
  });

  test('with an unknown prelude is an error', () => {
    expect(() => writeSnippet(sample(6, '', 'no-such'), samples, samples)).toThrow('no-such.ts');
  });
});
