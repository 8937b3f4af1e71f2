import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { expect, test } from 'vitest';

/** A program in one piece, as a hardened host loads it: no loader of ours comes before it. */
function programOf(fixture: string): string {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL(`../../fixtures/${fixture}`, import.meta.url))],
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'es2022',
    tsconfig: `${root}tsconfig.json`,
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}

function runIn(fixture: string, ...args: string[]): { status: number; output: string } {
  const flags = ['--no-warnings', ...args.filter((arg) => arg === '--frozen-intrinsics'), '--input-type=module'];
  const input = programOf(fixture);
  const own = args.filter((arg) => arg !== '--frozen-intrinsics');
  try {
    return { status: 0, output: execFileSync(process.execPath, [...flags, '-', ...own], { input, encoding: 'utf8' }) };
  } catch (error) {
    const { status, stderr } = error as { status: number; stderr: string };
    return { status, output: stderr };
  }
}

const EVERY_REASON = {
  user: 'user',
  'user, gated': 'AbortError',
  timeout: 'timeout',
  'timeout, gated': 'TimeoutError',
  superseded: 'superseded',
  'superseded, gated': 'AbortError',
  upstream: 'disconnect',
  'upstream, gated': 'AbortError',
};

test.each([
  ['as it is', []],
  ['with --frozen-intrinsics', ['--frozen-intrinsics']],
  ['with a frozen Error', ['--freeze-error']],
])('every abort works in a process %s', { timeout: 30_000 }, (_what, args) => {
  const { status, output } = runIn('every-abort.ts', ...args);
  expect({ status, output }).toMatchObject({ status: 0 });
  expect(JSON.parse(output)).toMatchObject({ seen: EVERY_REASON, errors: [], stackTraceLimit: 10 });
});

test('listeners of a signal that throw are the process’s, and all runs are cut all the same', {
  timeout: 30_000,
}, () => {
  const { status, output } = runIn('throwing-listeners.ts');
  expect({ status, output }).toMatchObject({ status: 0 });
  expect(JSON.parse(output)).toEqual({
    runIds: ['a', 'b', 'c'],
    aborted: [true, true, true],
    uncaught: ['mine', 'mine too', 'mine, later', 'then threw'].sort(),
    errors: [],
    quiet: true,
  });
});
