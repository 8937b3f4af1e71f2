import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../tools/entries.js';
import { optionsOfUser, writeDeclarations } from './declarations.js';
import { describeError, findBlocks, snippetFolder, writeSnippet } from './snippets.js';

// What a user of another `lib` than ours compiles: our types, and the blocks of the docs, which are copied.

const libs = join(root, 'test/docs/libs');
const fixtures = readdirSync(libs).filter((name) => name.endsWith('.ts'));
const folder = snippetFolder(root, 'snippets-of-users');
const blocks = findBlocks(root).map((block) => ({
  title: `${block.file}:${block.line}`,
  snippet: writeSnippet(block, folder, join(root, 'test/docs/preludes')),
}));
let paths: Record<string, string[]>;

beforeAll(() => {
  paths = writeDeclarations(root, 'declarations');
}, 120_000);

describe.each(['next', 'node'])('with the compiler options of %s', (user) => {
  test('the public surface and the blocks of the docs compile', () => {
    // A block is a part of a module, also one without an import.
    const options = { ...optionsOfUser(root, user, paths), moduleDetection: ts.ModuleDetectionKind.Force };
    const files = fixtures.map((file) => join(libs, file));
    const program = ts.createProgram([...files, ...blocks.map(({ snippet }) => snippet.path)], options);
    const errorsOf = (path: string): ts.Diagnostic[] => {
      const file = program.getSourceFile(path);
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    };
    // A declaration that does not resolve would be `any`, which the lines that expect an error would tell.
    expect(fixtures.length).toBeGreaterThan(1);
    expect(files.flatMap(errorsOf).map(told)).toEqual([]);
    expect(program.getOptionsDiagnostics().map(told)).toEqual([]);

    expect(blocks.length).toBeGreaterThan(100);
    const errors = blocks.flatMap(({ title, snippet }) =>
      errorsOf(snippet.path).map((error) => `${title}, ${describeError(snippet, error)}`),
    );
    expect(errors).toEqual([]);
  }, 120_000);
});

function told({ file, start = 0, messageText }: ts.Diagnostic): string {
  const at = file === undefined ? '' : `${file.fileName}:${file.getLineAndCharacterOfPosition(start).line + 1}: `;
  return `${at}${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
}
