// Finds the code that the documentation shows, and turns each block into a module that can be compiled and run.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** A fenced `ts` block of a page or of a docstring. */
export interface Block {
  readonly file: string;
  /** The line of the block's first line of code. */
  readonly line: number;
  readonly code: string;
  readonly compileOnly: boolean;
  readonly prelude: string | undefined;
  /** What it prints, where the page shows that. */
  readonly output: string | undefined;
}

const fence = /^```ts\b([^\n]*)\n(.*?)^```[ \t]*$/gms;
const prelude = /<!-- prelude: ([\w-]+) -->\s*$/;
const output = /<!-- output -->\s*```\w*\n(.*?)^```[ \t]*$/ms;

/**
 * The blocks of a page. One that is marked `ts compile-only` is not run. A comment before the fence,
 * `<!-- prelude: name -->`, names the code around it that the reader is not shown. The block after the
 * comment `<!-- output -->` is what the last `ts` block before it prints.
 */
export function markdownBlocks(file: string, text: string): Block[] {
  return [...text.matchAll(fence)].map((match) => {
    const before = text.slice(0, match.index);
    return {
      file,
      line: before.split('\n').length + 1,
      code: match[2] ?? '',
      compileOnly: (match[1] ?? '').split(/\s+/).includes('compile-only'),
      prelude: prelude.exec(before)?.[1],
      output: output.exec(text.slice(match.index + match[0].length).split(/^```ts\b/m)[0] ?? '')?.[1],
    };
  });
}

/** The blocks in the docstrings of a source file. */
export function docstringBlocks(file: string, text: string): Block[] {
  return [...text.matchAll(/^[ \t]*\/\*\*(?:(?!\*\/).)*\*\//gms)].flatMap((match) => {
    const line = text.slice(0, match.index).split('\n').length;
    const plain = match[0].replace(/^[ \t]*\/?\*+\/? ?/gm, '');
    return markdownBlocks(file, plain).map((block) => ({ ...block, line: block.line + line - 1 }));
  });
}

/** Every block of README.md, docs/ and the docstrings of src/. */
export function findBlocks(root: string): Block[] {
  const below = (folder: string, ending: string): string[] =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
          .filter((path) => path.endsWith(ending))
          .sort()
          .map((path) => `${folder}/${path}`)
      : [];
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const pages = [...(existsSync(join(root, 'README.md')) ? ['README.md'] : []), ...below('docs', '.md')];
  return [
    ...pages.flatMap((path) => markdownBlocks(path, read(path))),
    ...below('src', '.ts').flatMap((path) => docstringBlocks(path, read(path))),
  ];
}

/** A block as a file. */
export interface Snippet {
  readonly path: string;
  /** Lines of prelude before the block. */
  readonly offset: number;
}

const marker = '// ---\n';

/**
 * Writes a block, wrapped in its prelude: the part before the line `// ---` goes before it, the rest after it. A line
 * `// include: name` stands for the prelude of that name.
 */
export function writeSnippet(block: Block, folder: string, preludes: string): Snippet {
  const read = (name: string): string => readFileSync(join(preludes, `${name}.ts`), 'utf8');
  const include = /^\/\/ include: ([\w-]+)\n/gm;
  const around =
    block.prelude === undefined ? '' : read(block.prelude).replace(include, (_, name: string) => read(name));
  const cut = around.indexOf(marker);
  const before = cut < 0 ? around : around.slice(0, cut);
  const after = cut < 0 ? '' : around.slice(cut + marker.length);
  const path = join(folder, `${block.file.replace(/\W+/g, '-')}-${block.line}.ts`);
  writeFileSync(path, `${before}${block.code}${after}`);
  return { path, offset: before.split('\n').length - 1 };
}

/** An empty folder for snippets. It is inside the project, so that they find its packages. */
export function snippetFolder(root: string, name: string): string {
  const folder = join(root, '.cache', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Compiles all snippets as one program, with the options of tsconfig.json. Answers the errors of each file. */
export function compileErrors(root: string, snippets: readonly Snippet[]): Map<Snippet, string[]> {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config.config, include: [], files: [] }, ts.sys, root);
  const program = ts.createProgram(
    snippets.map(({ path }) => path),
    options,
  );
  return new Map(
    snippets.map((snippet) => {
      const source = program.getSourceFile(snippet.path);
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [snippet, found.map((diagnostic) => describeError(snippet, diagnostic))];
    }),
  );
}

/** One error, with its line in the block. */
export function describeError({ offset }: Snippet, { file, start, messageText }: ts.Diagnostic): string {
  const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 - offset : 0;
  return `line ${line} of the block: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
}
