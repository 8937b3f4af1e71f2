// Runs every example, as a reader would: the script `example`, or else `test`, or else `demo`. It must succeed, and print
// what `expected-output.txt` says where there is one, to the letter: an example prints no times and no ports.
// What a README shows after `<!-- printed, in outline -->` must have the scenes and the checks that are printed.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './entries.js';

const SCRIPTS = ['example', 'test', 'demo'];
const LIMIT_MS = 120_000;
/** Behind it a check of a scene says what it saw. */
const CHECK_WIDTH = 70;
const SHOWN = /<!-- printed, in outline -->\s*```\n(.*?)^```/ms;

/** What does not depend on time: the titles of the scenes, and the checks without what they saw. */
export function outline(text: string): string {
  const lines = text.split('\n').filter((line) => /^(\d+ {2}\S| {5}ok )/.test(line));
  return lines.map((line) => line.slice(0, CHECK_WIDTH).trimEnd()).join('\n');
}

/** What is wrong with the example in this folder, if anything. */
export function check(folder: string, tsconfig: string): string | undefined {
  const { scripts = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    scripts?: Record<string, string>;
  };
  const script = SCRIPTS.find((name) => name in scripts);
  if (script === undefined) return `has none of the scripts ${SCRIPTS.join(', ')}`;
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', script], {
    cwd: folder,
    encoding: 'utf8',
    timeout: LIMIT_MS,
    // The built package, as it is published: the root's own tsconfig.json would give the sources.
    env: { ...process.env, NO_COLOR: '1', TSX_TSCONFIG_PATH: tsconfig },
  });
  if (status !== 0) return `${script} ended with ${status ?? 'its time limit'}\n${stdout}${stderr}`;
  const readme = join(folder, 'README.md');
  const shown = existsSync(readme) ? SHOWN.exec(readFileSync(readme, 'utf8'))?.[1] : undefined;
  if (shown !== undefined && outline(shown) !== outline(stdout)) {
    return `printed other scenes or checks than its README shows:\n${stdout}${stderr}`;
  }
  const expected = join(folder, 'expected-output.txt');
  if (!existsSync(expected)) return script === 'example' ? 'has no expected-output.txt' : undefined;
  if (stdout.trimEnd() === readFileSync(expected, 'utf8').trimEnd()) return undefined;
  return `printed something else than expected-output.txt:\n${stdout}${stderr}`;
}

if (process.argv[1] === import.meta.filename) {
  const wanted = process.argv.slice(2);
  const folders = readdirSync(join(root, 'examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const names = folders.map(({ name }) => name).filter((name) => wanted.length === 0 || wanted.includes(name));
  if (names.length === 0) throw new Error(`There is no example ${wanted.join(', ')}.`);
  for (const name of names) {
    const trouble = check(join(root, 'examples', name), join(root, 'tsconfig.base.json'));
    if (trouble !== undefined) process.exitCode = 1;
    console.log(
      `${trouble === undefined ? 'ok    ' : 'FAILED'} examples/${name}${trouble === undefined ? '' : `: ${trouble}`}`,
    );
  }
}
