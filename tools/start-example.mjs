/** `npm run demo`, `npm run openai-server`, `npm run cluster`: builds the package, says so from its first second, and runs an example on what it has built. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const TICK_MS = 1_000;
const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs a program of the project's own. Answers its exit code. */
function run(name, args, stdio) {
  const program = fileURLToPath(new URL(`../node_modules/.bin/${name}`, import.meta.url));
  const child = spawn(program, args, { cwd: root, stdio, shell: process.platform === 'win32' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal === null ? code : 1));
  });
}

// Ctrl-C reaches the child too, which ends in its own way.
process.on('SIGINT', () => {});

const startedAt = performance.now();
const seconds = () => ((performance.now() - startedAt) / 1_000).toFixed(1);
process.stdout.write('Building the package (its JavaScript, without types) ');
const ticking = setInterval(() => process.stdout.write('.'), TICK_MS);
// Not cleaned: the declarations of an earlier whole build stay.
const built = await run('tsup', ['--silent', '--no-dts', '--no-clean'], ['ignore', 'inherit', 'inherit']);
clearInterval(ticking);
if (built !== 0) process.exit(built);
process.stdout.write(` ${seconds()} s\n`);

const [example, ...args] = process.argv.slice(2);
process.exitCode = await run('tsx', ['--tsconfig', 'tsconfig.base.json', `examples/${example}`, ...args], 'inherit');
