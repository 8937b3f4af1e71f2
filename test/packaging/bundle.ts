import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** What the built file and all that it loads import from elsewhere: packages and Node's modules, sorted. */
export function externalImports(entry: string): string[] {
  const external = new Set<string>();
  const files = new Set([entry]);
  for (const file of files) {
    const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true);
    for (const { fileName } of importedFiles) {
      if (fileName.startsWith('.')) files.add(join(dirname(file), fileName));
      else external.add(fileName);
    }
  }
  return [...external].sort();
}

/** Those of the imports that only Node answers, with or without `node:`. */
export function builtins(imports: readonly string[]): string[] {
  return imports.filter((name) => name.startsWith('node:') || isBuiltin(name));
}

/** Those of the imports that come from the package, by its name or a path inside it. */
export function from(packageName: string, imports: readonly string[]): string[] {
  return imports.filter((name) => name === packageName || name.startsWith(`${packageName}/`));
}
