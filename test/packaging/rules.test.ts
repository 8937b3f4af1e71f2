import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../../tools/entries.js';
import { listFiles } from './files.js';
import {
  anyProblems,
  coreOrder,
  importProblems,
  orderProblems,
  rootProblems,
  type SourceText,
  staleExceptions,
  stateProblems,
  syntaxProblems,
} from './rules.js';

const files: SourceText[] = listFiles(join(root, 'src')).map((path) => ({
  path,
  text: readFileSync(join(root, 'src', path), 'utf8'),
}));
const core = files.filter(({ path }) => path.startsWith('core/'));
const doors = files.filter(({ path }) => path === 'index.ts' || path === 'backend/index.ts');
const order = coreOrder(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8'));

describe('the source tree', () => {
  test('core imports nothing outside itself but eventemitter3', () => {
    expect(core.length).toBeGreaterThan(50);
    expect(importProblems(core)).toEqual([]);
  });

  test('the parts of core import only what comes before them in the order of CONTRIBUTING.md, types too', () => {
    expect(order.length).toBeGreaterThan(10);
    expect(orderProblems(core, order)).toEqual([]);
    expect(staleExceptions(core)).toEqual([]);
  });

  test('adapters import the root entry, their own folder, their own packages and the entries they stand on', () => {
    expect(importProblems(files.filter(({ path }) => !path.startsWith('core/')))).toEqual([]);
  });

  test('the root entry and `runfence/backend` only re-export core', () => {
    expect(doors).toHaveLength(2);
    expect(doors.flatMap(rootProblems)).toEqual([]);
  });

  test('has no default export and no enum', () => {
    expect(files.flatMap(syntaxProblems)).toEqual([]);
  });

  test('has no mutable state at module level', () => {
    expect(files.flatMap(stateProblems)).toEqual([]);
  });

  test('says `any` in no public type', () => {
    const report = readFileSync(join(root, 'etc/api.md'), 'utf8');
    const declarations = [...report.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
    expect(declarations.length).toBeGreaterThan(0);
    expect(declarations.flatMap(anyProblems)).toEqual([]);
  });
});

describe('the import rules refuse', () => {
  test.each([
    ['core/run/run.ts', "import { readFile } from 'node:fs';"],
    ['core/run/run.ts', "import { readFile } from 'fs';"],
    ['core/run/run.ts', "import { z } from 'zod';"],
    ['core/run/run.ts', "import { files } from '../../files/index.js';"],
    ['core/run/run.ts', "import { createRunControl } from '../../index.js';"],
    ['core/run/run.ts', "const fs = await import('node:fs');"],
    ['core/run/run.ts', "type Stats = import('node:fs').Stats;"],
    ['index.ts', "export * from './files/index.js';"],
    ['files/lock.ts', "import { Run } from '../core/run/run.js';"],
    ['files/lock.ts', "import { z } from 'zod';"],
    ['redis/index.ts', "import { files } from '../files/index.js';"],
    ['redis/index.ts', "import lockfile from 'proper-lockfile';"],
    ['http/index.ts', "import type { State } from '../agent/internal/state.js';"],
    ['http/index.ts', "import { createAgent } from '../agent/index.js';"],
    ['http/index.ts', "import { type Agent } from '../agent/index.js';"],
    ['elsewhere/index.ts', "import type { Run } from '../index.js';"],
    ['backend/index.ts', "export { files } from '../files/index.js';"],
    ['process/index.ts', "import { memory } from '../backend/index.js';"],
    ['files/lock.ts', "import type { Backend } from '../core/backend/port.js';"],
  ])('%s: %s', (path, text) => {
    expect(importProblems([{ path, text }])).toHaveLength(1);
  });
});

describe('the import rules allow', () => {
  test.each([
    ['core/run/run.ts', "import { EventEmitter } from 'eventemitter3';"],
    ['core/run/run.ts', "import { clock } from '../internal/clock.js';"],
    ['index.ts', "export { run } from './core/run/run.js';"],
    ['files/internal/lock.ts', "import { type Run } from '../../index.js';"],
    ['files/lock.ts', "const lockfile = await import('proper-lockfile');"],
    ['http/index.ts', "import type { Agent } from '../agent/index.js';"],
    ['gateway/index.ts', "import { z } from 'zod';"],
    ['files/lock.ts', "import { memory } from '../backend/index.js';"],
    ['backend/index.ts', "export { memory } from '../core/backend/memory.js';"],
  ])('%s: %s', (path, text) => {
    expect(importProblems([{ path, text }])).toEqual([]);
  });
});

describe('the order of the core', () => {
  const contributing =
    '### The order of the core\n\nText.\n\n1. `internal/`\n2. `a.ts`, `b.ts`\n3. `run/`\n\n## Next\n\n1. `c/`\n';
  const parts = coreOrder(contributing);

  test('is the list of its section', () => {
    expect(parts).toEqual(['internal/', 'a.ts', 'b.ts', 'run/']);
  });

  test.each([
    ['core/internal/x.ts', "import { run } from '../run/run.js';"],
    ['core/internal/x.ts', "import type { A } from '../a.js';"],
    ['core/a.ts', "export type { B } from './b.js';"],
    ['core/b.ts', "type Run = import('./run/run.js').Run;"],
    ['core/elsewhere/x.ts', ''],
  ])('refuses %s: %s', (path, text) => {
    expect(orderProblems([{ path, text }], parts)).toHaveLength(1);
  });

  test.each([
    [
      'core/run/x.ts',
      "import { y } from './y.js'; import { a } from '../a.js'; import { EventEmitter } from 'eventemitter3';",
    ],
    ['core/b.ts', "import type { A } from './a.js';"],
  ])('allows %s: %s', (path, text) => {
    expect(orderProblems([{ path, text }], parts)).toEqual([]);
  });
});

describe('the other rules', () => {
  const sample = (text: string): SourceText => ({ path: 'sample.ts', text });

  test.each(['export const a = 1;', "import { a } from './core/a.js';", 'export { a };'])(
    'the root entry: %s',
    (text) => {
      expect(rootProblems(sample(text))).toHaveLength(1);
    },
  );

  test.each([
    'export default 1;',
    'export default function f() {}',
    "export { a as default } from './a.js';",
    'enum Color { Red }',
    'export const enum Color { Red }',
  ])('refuse the syntax %s', (text) => {
    expect(syntaxProblems(sample(text))).toHaveLength(1);
  });

  test.each([
    'let count = 0;',
    'var count = 0;',
    'const runs = new Map<string, number>();',
    'export const runs = new Set([1]);',
    'const secrets = new WeakMap();',
    'const list = [1, 2];',
    'const list: number[] = [];',
    'const cache: Record<string, number> = {};',
    'const runs = new Map() satisfies Map<string, number>;',
    'class Run { static count = 0; }',
    'class Run { static readonly all = new Map(); }',
  ])('refuse the state %s', (text) => {
    expect(stateProblems(sample(text))).toHaveLength(1);
  });

  test.each([
    "const codes = ['a', 'b'] as const;",
    "const codes: readonly string[] = ['a'];",
    "const codes: ReadonlySet<string> = new Set(['a']);",
    'const limits = Object.freeze([1, 2]);',
    'const defaults = { graceMs: 5000 };',
    'function f() { let count = 0; const all = []; return [count, all]; }',
    'class Run { readonly all = new Map(); static readonly limit = 1; }',
  ])('allow the state %s', (text) => {
    expect(stateProblems(sample(text))).toEqual([]);
  });

  test('see `any` inside a type, and not in a comment or a name', () => {
    expect(anyProblems('export declare function f(a: Array<any>): void;')).toHaveLength(1);
    expect(anyProblems('/** any */ export declare function any(a: unknown): "any";')).toEqual([]);
  });
});
