import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readEntries, root } from '../../tools/entries.js';
import { measure, readBudgets, sizeProblem } from '../../tools/size.js';
import { builtins, externalImports, from } from './bundle.js';

const folder = mkdtempSync(join(tmpdir(), 'runfence-bundle-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the root entry and all its chunks', () => {
  const imports = externalImports(join(root, 'dist/index.js'));

  test('import no module of Node', () => {
    expect(builtins(imports)).toEqual([]);
  });

  test('import no zod', () => {
    expect(from('zod', imports)).toEqual([]);
  });

  test('import no proper-lockfile', () => {
    expect(from('proper-lockfile', imports)).toEqual([]);
  });

  test('import nothing but eventemitter3', () => {
    expect(imports).toEqual(['eventemitter3']);
  });
});

test('imports are found through chunks, re-exports, dynamic imports and require', () => {
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write('index.js', 'import{a}from"./chunk-A.js";export{b}from"./chunk-B.js";');
  write('chunk-A.js', 'export const a=()=>import("node:fs");import"path";import{z}from"zod/v4";');
  write('chunk-B.js', 'export*from"proper-lockfile";export const b=require("os");');
  const imports = externalImports(join(folder, 'index.js'));
  expect(imports).toEqual(['node:fs', 'os', 'path', 'proper-lockfile', 'zod/v4']);
  expect(builtins(imports)).toEqual(['node:fs', 'os', 'path']);
  expect(from('zod', imports)).toEqual(['zod/v4']);
});

describe('size', () => {
  test.each(readEntries())('$name stays within its budget', async ({ name, js }) => {
    const bytes = await measure(js);
    expect(sizeProblem(name, bytes, readBudgets())).toBeUndefined();
  });

  test('too large or without a budget is a problem', async () => {
    const file = join(folder, 'large.js');
    writeFileSync(file, "import { EventEmitter } from 'eventemitter3'; console.log(new EventEmitter());");
    writeFileSync(join(folder, 'small.js'), 'console.log(1);');
    expect(await measure(join(folder, 'small.js'))).toBeLessThan(50);
    expect(sizeProblem('a', 101, { a: 100 })).toContain('1 over its budget');
    expect(sizeProblem('a', 100, { a: 100 })).toBeUndefined();
    expect(sizeProblem('b', 1, { a: 100 })).toContain('no budget');
  });
});
