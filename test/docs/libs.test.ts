import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../tools/entries.js';
import { snippetFolder } from './snippets.js';

// The types that a user gets, by the `lib` of the user. Of the sources, not of the build: nothing needs to be built.

const libs = join(root, 'test/docs/libs');
const fixtures = readdirSync(libs).filter((name) => name.endsWith('.ts'));
const declarations = snippetFolder(root, 'declarations');

beforeAll(() => {
  const sources = join(root, 'src');
  for (const name of readdirSync(sources, { recursive: true, encoding: 'utf8' })) {
    if (!/^(index|core\/.+)\.ts$/.test(name)) continue;
    const { outputText } = ts.transpileDeclaration(readFileSync(join(sources, name), 'utf8'), {
      fileName: name,
      compilerOptions: { declaration: true, isolatedDeclarations: true, stripInternal: true },
    });
    const file = join(declarations, name.replace(/\.ts$/, '.d.ts'));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, outputText);
  }
}, 120_000);

describe.each(['next', 'node'])('with the compiler options of %s', (name) => {
  test('the public surface compiles as it is used', () => {
    const { options } = ts.getParsedCommandLineOfConfigFile(
      join(libs, name, 'tsconfig.json'),
      { paths: { runfence: [join(declarations, 'index.d.ts')] } },
      { ...ts.sys, onUnRecoverableConfigFileDiagnostic: ({ messageText }) => expect.fail(String(messageText)) },
    ) as ts.ParsedCommandLine;
    expect(options.lib).toBeDefined();
    const program = ts.createProgram(
      fixtures.map((file) => join(libs, file)),
      options,
    );
    // A declaration that does not resolve would be `any`, which the lines that expect an error would tell.
    const errors = fixtures.flatMap((name) => {
      const file = program.getSourceFile(join(libs, name));
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    });
    expect(fixtures.length).toBeGreaterThan(1);
    expect(errors.map(told)).toEqual([]);
    expect(program.getOptionsDiagnostics().map(told)).toEqual([]);
  }, 120_000);
});

function told({ file, start = 0, messageText }: ts.Diagnostic): string {
  const at = file === undefined ? '' : `${file.fileName}:${file.getLineAndCharacterOfPosition(start).line + 1}: `;
  return `${at}${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
}
