import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../../tools/entries.js';
import { check, outline } from '../../tools/examples.js';
import { snippetFolder } from './snippets.js';

describe('the runner of examples', () => {
  const samples = snippetFolder(root, 'example-samples');

  function sample(name: string, scripts: Record<string, string>, expected?: string, readme?: string): string {
    const folder = join(samples, name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, scripts }));
    if (expected !== undefined) writeFileSync(join(folder, 'expected-output.txt'), expected);
    if (readme !== undefined) writeFileSync(join(folder, 'README.md'), readme);
    return folder;
  }
  const run = (folder: string): string | undefined => check(folder, join(root, 'tsconfig.base.json'));

  test('lets an example pass that prints what is expected', () => {
    expect(run(sample('good', { example: 'echo status 401' }, 'status 401\n'))).toBeUndefined();
    expect(run(sample('test', { test: 'true' }))).toBeUndefined();
  });

  test('takes the scenes and the checks for the outline, without what a check saw', () => {
    const check = '     ok    the answer ends'.padEnd(70);
    const text = `server on port 80\n\n1  A stop\n     0 ms  alice   POST /stop\n${check}last byte 3 ms\n\n5 in all\n`;
    expect(outline(text)).toBe('1  A stop\n     ok    the answer ends');
  });

  test('compares the outline that a README shows', () => {
    const shown = (scene: string): string =>
      `# A\n\n<!-- printed, in outline -->\n\`\`\`\n${scene}\n 3 ms  x\n\`\`\`\n`;
    const scripts = { demo: "echo '1  A stop'" };
    expect(run(sample('same-scene', scripts, undefined, shown('1  A stop')))).toBeUndefined();
    expect(run(sample('other-scene', scripts, undefined, shown('1  Two stops')))).toContain('other scenes or checks');
    expect(run(sample('one-scene-more', scripts, undefined, shown('1  A stop\n2  More')))).toContain('other scenes');
  });

  test.each([
    ['other-text', { example: 'echo stopped' }, 'went on\n', 'printed something else'],
    ['other-number', { example: 'echo status 500' }, 'status 401\n', 'printed something else'],
    ['more-text', { example: 'echo one; echo two' }, 'one\n', 'printed something else'],
    ['no-text', { example: 'true' }, 'one\n', 'printed something else'],
    ['failure', { example: 'echo one; exit 3' }, 'one\n', 'example ended with 3'],
    ['failing-test', { test: 'exit 1' }, undefined, 'test ended with 1'],
    ['nothing-expected', { example: 'echo one' }, undefined, 'has no expected-output.txt'],
    ['no-script', { start: 'true' }, undefined, 'has none of the scripts'],
  ])('tells of %s', (name, scripts, expected, trouble) => {
    expect(run(sample(name, scripts as unknown as Record<string, string>, expected))).toContain(trouble);
  });
});
