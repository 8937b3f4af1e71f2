import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const outdir = `${root}.cache/test-redis-${process.pid}`;
const built = new Map<string, Promise<string>>();

/** One file that plain node runs: with a loader each process would take a second to start. */
export function bundled(fixture: string): Promise<string> {
  let file = built.get(fixture);
  if (file === undefined) {
    file = bundle(fixture);
    built.set(fixture, file);
  }
  return file;
}

export function removeBundles(): void {
  built.clear();
  rmSync(outdir, { recursive: true, force: true });
}

async function bundle(fixture: string): Promise<string> {
  mkdirSync(outdir, { recursive: true });
  const outfile = `${outdir}/${fixture}.mjs`;
  await build({
    absWorkingDir: root,
    entryPoints: [`test/redis/fixtures/${fixture}.ts`],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    alias: {
      runfence: './src/index.ts',
      'runfence/backend': './src/backend/index.ts',
      'runfence/redis': './src/redis/index.ts',
      'runfence/testing': './src/testing/index.ts',
    },
    external: ['ioredis', 'redis'],
    logLevel: 'silent',
  });
  return outfile;
}
