import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const outdir = `${root}.cache/test-postgres-${process.pid}`;

/** One file that plain node runs: with a loader each process would take a second to start. */
export async function bundled(fixture: string): Promise<string> {
  mkdirSync(outdir, { recursive: true });
  const outfile = `${outdir}/${fixture}.mjs`;
  await build({
    absWorkingDir: root,
    entryPoints: [`test/postgres/fixtures/${fixture}.ts`],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    alias: {
      runfence: './src/index.ts',
      'runfence/backend': './src/backend/index.ts',
      'runfence/postgres': './src/postgres/index.ts',
      'runfence/testing': './src/testing/index.ts',
    },
    external: ['pg', 'postgres'],
    logLevel: 'silent',
  });
  return outfile;
}

export function removeBundles(): void {
  rmSync(outdir, { recursive: true, force: true });
}
