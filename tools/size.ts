import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { readEntries, root } from './entries.js';

export type Budgets = Readonly<Record<string, number>>;

export function readBudgets(): Budgets {
  return JSON.parse(readFileSync(`${root}tools/size-budgets.json`, 'utf8')) as Budgets;
}

/** Bytes, minified and gzipped, of a file with all that it loads, dependencies included. */
export async function measure(file: string): Promise<number> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [file],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    logLevel: 'silent',
  });
  return gzipSync(result.outputFiles.map((output) => output.text).join(''), { level: 9 }).length;
}

/** What is wrong with a measured size, or undefined. */
export function sizeProblem(name: string, bytes: number, budgets: Budgets): string | undefined {
  const budget = budgets[name];
  if (budget === undefined) return `${name} has no budget in tools/size-budgets.json`;
  if (bytes > budget) return `${name} is ${bytes} bytes, ${bytes - budget} over its budget of ${budget}`;
  return undefined;
}

async function main(): Promise<void> {
  const budgets = readBudgets();
  for (const { name, js } of readEntries()) {
    const bytes = await measure(js);
    console.log(`${name}: ${bytes} of ${budgets[name] ?? 0} bytes (minified, gzipped, with dependencies)`);
    const problem = sizeProblem(name, bytes, budgets);
    if (problem === undefined) continue;
    console.error(problem);
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(resolve(process.argv[1] ?? '')).href) await main();
