// Checks the pages as a whole: links, anchors, order, and what they list against what the sources say.
import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

/** A page of the documentation, by its path from the root. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** A link or an image of a page. */
export interface Link {
  readonly line: number;
  readonly text: string;
  readonly target: string;
  readonly isImage: boolean;
}

/** The text without its code, line for line: what looks like a link or a heading in there is none. */
function prose(text: string): string {
  const blank = (code: string): string => code.replace(/[^\n]/g, ' ');
  return text.replace(/^```.*?^```[ \t]*$/gms, blank);
}

export function linksOf(text: string): Link[] {
  const plain = prose(text).replace(/`[^`\n]*`(?![^[]*\]\()/g, (code) => ' '.repeat(code.length));
  return [...plain.matchAll(/(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)/g)].map((match) => ({
    line: plain.slice(0, match.index).split('\n').length,
    text: match[2] ?? '',
    target: match[3] ?? '',
    isImage: match[1] === '!',
  }));
}

/** The anchors of a page, as GitHub makes them from its headings. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of prose(text).matchAll(/^#{1,6} (.+)$/gm)) {
    const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = words.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Where a relative link of a page leads, from the root. `undefined`: out of the project's files, or to another site. */
function resolveLink(page: string, target: string): { readonly path: string; readonly anchor: string } | undefined {
  if (/^[a-z]+:/.test(target)) return undefined;
  const [file = '', anchor = ''] = target.split('#');
  return { path: file === '' ? page : normalize(join(dirname(page), file)), anchor };
}

/** Links that lead nowhere, and images without a text. */
export function brokenLinks(root: string, pages: readonly Page[]): string[] {
  const anchors = new Map(pages.map(({ path, text }) => [path, anchorsOf(text)]));
  return pages.flatMap(({ path: page, text }) =>
    linksOf(text).flatMap(({ line, text: label, target, isImage }) => {
      const where = `${page}:${line}: ${target}`;
      if (label.trim() === '') return [`${where} has no text`];
      const resolved = resolveLink(page, target);
      if (resolved === undefined) return [];
      const { path, anchor } = resolved;
      if (path.startsWith('..') || !existsSync(join(root, path))) return [`${where} does not exist`];
      if (isImage && !statSync(join(root, path)).isFile()) return [`${where} is no picture`];
      if (anchor === '') return [];
      const known = anchors.get(path);
      if (known === undefined) return [`${where} has an anchor in what is no page`];
      return known.has(anchor) ? [] : [`${where} has no such heading`];
    }),
  );
}

/** Pages to which no chain of links leads. */
export function unreachable(pages: readonly Page[], starts: readonly string[]): string[] {
  const byPath = new Map(pages.map((page) => [page.path, page]));
  const seen = new Set<string>();
  const visit = (path: string): void => {
    const page = byPath.get(path);
    if (page === undefined || seen.has(path)) return;
    seen.add(path);
    for (const { target } of linksOf(page.text)) visit(resolveLink(path, target)?.path ?? '');
  };
  for (const start of starts) visit(start);
  return pages.map(({ path }) => path).filter((path) => !seen.has(path));
}

/** The pages that a page links to, in its order, each once; without the README, which the site does not have. */
export function guidesOf({ path, text }: Page): string[] {
  const guides = linksOf(text).map(({ target }) => resolveLink(path, target)?.path ?? '');
  return [...new Set(guides)].filter((guide) => guide.endsWith('.md') && guide !== 'README.md');
}

/** A page that the site would give another name than the page has itself. */
export function untitled({ path, text }: Page): string[] {
  const title = /^---\ntitle: (.+)\n---\n/.exec(text)?.[1];
  const heading = /^# (.+)$/m.exec(text)?.[1];
  return title !== undefined && title === heading ? [] : [`${path}: title "${title}", heading "${heading}"`];
}

/** Blocks after `<!-- from: file -->` that are not what the file has. */
export function strangeCopies(pages: readonly Page[], read: (path: string) => string): string[] {
  return pages.flatMap(({ path, text }) =>
    [...text.matchAll(/<!-- from: (\S+) -->\s*```[\w -]*\n(.*?)^```[ \t]*$/gms)].flatMap(([, file = '', block = '']) =>
      read(file).trimEnd() === block.trimEnd() ? [] : [`${path}: the block is not ${file}`],
    ),
  );
}

/** The literals of a union type of a source, or the properties of an interface. */
export function namesIn(source: string, type: string): string[] {
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest);
  for (const statement of file.statements) {
    if (ts.isInterfaceDeclaration(statement) && statement.name.text === type) {
      return statement.members.map(({ name }) => (name !== undefined && ts.isStringLiteral(name) ? name.text : ''));
    }
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text === type && ts.isUnionTypeNode(statement.type)) {
      return statement.type.types.map((member) =>
        ts.isLiteralTypeNode(member) && ts.isStringLiteral(member.literal) ? member.literal.text : '',
      );
    }
  }
  throw new Error(`There is no union or interface ${type}.`);
}

/** What an entry exports, by its name. */
export function exportsOf(source: string): string[] {
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest);
  return file.statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)) {
      return statement.exportClause.elements.map(({ name }) => name.text);
    }
    const isExported = ts.canHaveModifiers(statement)
      ? ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
      : false;
    return isExported && 'name' in statement ? [(statement.name as ts.Identifier).text] : [];
  });
}

/** The headings of the second level that look like a code. */
export function codesOn(text: string): string[] {
  return [...prose(text).matchAll(/^## ([A-Z_]+)$/gm)].map(([, code = '']) => code);
}

/** The names in the first column of the tables. */
export function rowsOn(text: string): string[] {
  return [...prose(text).matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = '']) => name);
}

/** What one list has and the other has not, and what is there twice. */
export function differences(source: readonly string[], page: readonly string[]): string[] {
  return [
    ...source.filter((name) => !page.includes(name)).map((name) => `${name} is missing on the page`),
    ...page.filter((name) => !source.includes(name)).map((name) => `${name} is only on the page`),
    ...page.filter((name, index) => page.indexOf(name) !== index).map((name) => `${name} is twice on the page`),
  ];
}
