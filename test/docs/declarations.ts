// The types of the package as a user gets them, of the sources and not of the build: nothing needs to be built.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { snippetFolder } from './snippets.js';

/** Writes the declarations of src/ into a folder of that name. Answers the `paths` that lead to them. */
export function writeDeclarations(root: string, name: string): Record<string, string[]> {
  const folder = snippetFolder(root, name);
  const sources = join(root, 'src');
  for (const source of readdirSync(sources, { recursive: true, encoding: 'utf8' })) {
    if (!source.endsWith('.ts')) continue;
    const { outputText } = ts.transpileDeclaration(readFileSync(join(sources, source), 'utf8'), {
      fileName: source,
      compilerOptions: { declaration: true, isolatedDeclarations: true, stripInternal: true },
    });
    const file = join(folder, source.replace(/\.ts$/, '.d.ts'));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, outputText);
  }
  return { runfence: [join(folder, 'index.d.ts')], 'runfence/*': [join(folder, '*/index.d.ts')] };
}

/** The compiler options of a user, as test/docs/libs has them. */
export function optionsOfUser(root: string, user: string, paths: Record<string, string[]>): ts.CompilerOptions {
  const parsed = ts.getParsedCommandLineOfConfigFile(
    join(root, 'test/docs/libs', user, 'tsconfig.json'),
    { paths },
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic({ messageText }) {
        throw new Error(String(messageText));
      },
    },
  );
  if (parsed?.options.lib === undefined) throw new Error(`The options of ${user} name no lib.`);
  return parsed.options;
}
