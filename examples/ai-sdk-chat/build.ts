import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The page with React and the AI SDK, in one file. */
export async function buildPage(page: URL = new URL('page.tsx', import.meta.url)): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(page)],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'warning',
  });
  return outputFiles[0]?.text ?? '';
}
