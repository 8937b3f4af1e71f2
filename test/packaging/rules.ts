// The rules of the source tree. Each checker takes files and returns what is wrong, so that a test can show it failing.
import { isBuiltin } from 'node:module';
import { dirname, join, normalize } from 'node:path/posix';
import ts from 'typescript';

/** A file of `src`, by its path from there. */
export interface SourceText {
  readonly path: string;
  readonly text: string;
}

interface Room {
  /** Packages that it may import. */
  readonly packages?: readonly string[];
  /** Whether it may import Node's own modules. */
  readonly node?: true;
  /** Rooms whose entry it may import. */
  readonly entries?: readonly string[];
  /** Rooms whose entry it may import, as types only. */
  readonly types?: readonly string[];
}

const rooms: Readonly<Record<string, Room>> = {
  core: { packages: ['eventemitter3'] },
  backend: {},
  files: { packages: ['proper-lockfile', 'signal-exit'], node: true, entries: ['backend'] },
  redis: { entries: ['backend'] },
  postgres: { entries: ['backend'] },
  diagnostics: { node: true },
  process: { node: true },
  streams: {},
  agent: { node: true, entries: ['streams'] },
  framework: { entries: ['agent'] },
  ai: { entries: ['agent', 'framework'] },
  mcp: { node: true },
  openai: { entries: ['agent', 'framework'] },
  langgraph: { entries: ['agent', 'framework'] },
  'openai-agents': { entries: ['agent', 'framework'] },
  transport: { types: ['agent', 'streams'] },
  http: { packages: ['zod'], entries: ['transport'], types: ['agent', 'streams'] },
  node: { node: true, entries: ['transport'] },
  gateway: { packages: ['zod'], entries: ['transport'], types: ['agent', 'streams'] },
  ws: { packages: ['ws'], node: true, types: ['gateway'] },
  testing: { node: true, entries: ['agent', 'backend'] },
};

/** Entries that re-export core, and do nothing else. */
const doors: readonly string[] = ['index.ts', 'backend/index.ts'];

/** Imports that go up, each with the reason why it stays. */
const upward: Readonly<Record<string, string>> = {
  'core/lock/session-lock.ts: core/run/run.js': 'the type of `acquire({ holder })` names the `Run` that a host has',
};

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

function importsOf(source: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (from: ts.Node | undefined, typeOnly: boolean): void => {
    if (from && ts.isStringLiteralLike(from)) found.push({ from: from.text, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly === true);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function parse({ path, text }: SourceText): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
}

/** Who imports what they may not. */
export function importProblems(files: readonly SourceText[]): string[] {
  return files.flatMap((file) =>
    importsOf(parse(file)).flatMap((found) => {
      const problem = importProblem(file.path, found);
      return problem === undefined ? [] : [`${file.path}: '${found.from}' ${problem}`];
    }),
  );
}

function importProblem(path: string, { from, typeOnly }: Import): string | undefined {
  const relative = from.startsWith('.') ? normalize(join(dirname(path), from)) : undefined;
  if (doors.includes(path)) return relative?.startsWith('core/') ? undefined : 'is not in core';

  const name = path.split('/')[0] ?? '';
  const room = rooms[name];
  if (!room) return `is imported from '${name}', which the rules do not know as a room`;
  if (relative === undefined) {
    if (isBuiltin(from)) return room.node ? undefined : `is Node's, and ${name} runs on any runtime`;
    return room.packages?.some((allowed) => from === allowed) ? undefined : `is no package of ${name}`;
  }
  if (relative.startsWith(`${name}/`)) return undefined;
  if (name === 'core') return 'is outside core';
  if (relative === 'index.js') return undefined;
  const isEntry = (allowed: string): boolean => relative === `${allowed}/index.js`;
  if (room.entries?.some(isEntry)) return undefined;
  const other = room.types?.find(isEntry);
  if (other === undefined) return `is neither the root entry nor in ${name}`;
  return typeOnly ? undefined : 'may only be imported as types';
}

/** The parts of core, lowest first, as CONTRIBUTING.md lists them: folders end with a slash, files with `.ts`. */
export function coreOrder(contributing: string): string[] {
  const [, list = ''] = /^### The order of the core\n(.*?)^#/ms.exec(contributing) ?? [];
  return [...list.matchAll(/^\d+\. (.+)$/gm)].flatMap(([, line = '']) =>
    [...line.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );
}

/** Imports inside core, types included, of what comes later in its order. */
export function orderProblems(files: readonly SourceText[], order: readonly string[]): string[] {
  const placeOf = (path: string): number =>
    order.findIndex((part) => (part.endsWith('/') ? path.startsWith(`core/${part}`) : path === `core/${part}`));
  return files.flatMap((file) => {
    const place = placeOf(file.path);
    if (place < 0) return [`${file.path} has no place in the order of the core`];
    return importsOf(parse(file))
      .filter(({ from }) => from.startsWith('.'))
      .map(({ from }) => normalize(join(dirname(file.path), from)))
      .filter((path) => placeOf(path.replace(/\.js$/, '.ts')) > place)
      .map((path) => `${file.path}: ${path}`)
      .filter((problem) => upward[problem] === undefined);
  });
}

/** Exceptions that nothing needs any more. */
export function staleExceptions(files: readonly SourceText[]): string[] {
  const found = files.flatMap((file) =>
    importsOf(parse(file)).map(({ from }) => `${file.path}: ${normalize(join(dirname(file.path), from))}`),
  );
  return Object.keys(upward).filter((exception) => !found.includes(exception));
}

/** Statements of an entry that are not re-exports. */
export function rootProblems(file: SourceText): string[] {
  return parse(file)
    .statements.filter((statement) => !ts.isExportDeclaration(statement) || !statement.moduleSpecifier)
    .map((statement) => `${file.path}: ${firstLine(statement)}`);
}

/** Default exports and enums. */
export function syntaxProblems(file: SourceText): string[] {
  const problems: string[] = [];
  const visit = (node: ts.Node): void => {
    const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [];
    const named = ts.isExportSpecifier(node) && node.name.text === 'default';
    if (ts.isExportAssignment(node) || named || modifiers.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword))
      problems.push(`${file.path}: default export: ${firstLine(node)}`);
    if (ts.isEnumDeclaration(node)) problems.push(`${file.path}: enum ${node.name.text}`);
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  return problems;
}

const mutableClasses = ['Map', 'Set', 'WeakMap', 'WeakSet', 'Array'];

/** Variables of a module, and static fields, that can change after it is loaded. */
export function stateProblems(file: SourceText): string[] {
  const problems: string[] = [];
  for (const statement of parse(file).statements) {
    if (ts.isVariableStatement(statement)) {
      const constant = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0;
      for (const declaration of statement.declarationList.declarations)
        if (!constant || isMutable(declaration)) problems.push(`${file.path}: ${firstLine(declaration)}`);
    }
    if (ts.isClassDeclaration(statement))
      for (const member of statement.members)
        if (ts.isPropertyDeclaration(member) && hasModifier(member, ts.SyntaxKind.StaticKeyword))
          if (!hasModifier(member, ts.SyntaxKind.ReadonlyKeyword) || isMutable(member))
            problems.push(`${file.path}: ${firstLine(member)}`);
  }
  return problems;
}

function hasModifier(node: ts.HasModifiers, kind: ts.SyntaxKind): boolean {
  return ts.getModifiers(node)?.some((modifier) => modifier.kind === kind) === true;
}

/** Whether the value is a collection that its type lets anyone change. */
function isMutable({ type, initializer }: ts.VariableDeclaration | ts.PropertyDeclaration): boolean {
  if (!initializer || (type && /^(readonly |Readonly)/.test(type.getText()))) return false;
  const value = unwrap(initializer);
  if (ts.isArrayLiteralExpression(value)) return true;
  if (ts.isObjectLiteralExpression(value)) return value.properties.length === 0;
  return ts.isNewExpression(value) && mutableClasses.includes(value.expression.getText());
}

/** Looks through `satisfies` and casts; `as const` stays, since it makes the value readonly. */
function unwrap(node: ts.Expression): ts.Expression {
  if (ts.isAsExpression(node) && node.type.getText() === 'const') return node;
  if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node) || ts.isParenthesizedExpression(node))
    return unwrap(node.expression);
  return node;
}

/** Where a text of declarations says `any`. */
export function anyProblems(declarations: string): string[] {
  const problems: string[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) problems.push(firstLine(node.parent));
    ts.forEachChild(node, visit);
  };
  visit(parse({ path: 'api.d.ts', text: declarations }));
  return problems;
}

function firstLine(node: ts.Node): string {
  return node.getText().split('\n')[0] ?? '';
}
