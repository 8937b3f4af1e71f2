import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../../tools/entries.js';
import { idsInTitles, idsOf, pageProblems, RANGES, readPage, summary, titleProblems } from './behaviours.js';

describe('docs/behaviours.md', () => {
  const page = readPage(readFileSync(join(root, 'docs/behaviours.md'), 'utf8'));
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /^(core|diagnostics|proof|process|files|streams|agent|ai|langgraph|mcp|openai|openai-agents|http|node|gateway|ws)\/.*\.test\.ts$/.test(
      name,
    ),
  );

  test('has each id once', () => {
    expect(pageProblems(idsOf(RANGES), page)).toEqual([]);
  });

  test('each behaviour that is there is in the title of a test', () => {
    expect(files.length).toBeGreaterThan(100);
    const shown = new Set(files.flatMap((name) => idsInTitles(readFileSync(join(root, 'test', name), 'utf8'))));
    expect(titleProblems(page, shown)).toEqual([]);
    process.stdout.write(`${summary(page)}\n`);
  });
});

describe('the reader of the page', () => {
  test('takes the lines with an id, and the part that they belong to', () => {
    const page = [
      '# Behaviours',
      'Text with **A9**.',
      '## Stop',
      '- **A1** Stops.',
      '### Details',
      '- **A2** Stops again.',
      '- A3 has no id.',
      '- **A4**',
      '## Not there yet',
      '### `runfence/http`',
      '- **B1** Hangs up.',
      '## More',
      '- **C1** Locks.',
    ].join('\n');
    expect(readPage(page)).toEqual([
      { id: 'A1', later: undefined },
      { id: 'A2', later: undefined },
      { id: 'B1', later: 'runfence/http' },
      { id: 'C1', later: undefined },
    ]);
  });
});

const line = (id: string, later?: string) => ({ id, later });

describe('the comparison of ids', () => {
  test('says nothing of ids that are there', () => {
    expect(pageProblems(['A1', 'A2'], [line('A1'), line('A2')])).toEqual([]);
  });

  test.each([
    ['missing', [line('A1')], 'A2 is not on the page'],
    ['in no range', [line('A1'), line('A2'), line('A3')], 'A3 is in no range'],
    ['there twice', [line('A1'), line('A2'), line('A1')], 'A1 is twice on the page'],
  ])('tells of an id that is %s', (_what, page, problem) => {
    expect(pageProblems(['A1', 'A2'], page)).toEqual([problem]);
  });

  test('knows the ranges', () => {
    expect(idsOf({ A: 2, I: 1 })).toEqual(['A1', 'A2', 'I1']);
    expect(idsOf(RANGES)).toHaveLength(Object.values(RANGES).reduce((sum, last) => sum + last, 0));
  });
});

describe('the reader of titles', () => {
  test.each([
    ["test('stops (A1)', () => {});", ['A1']],
    ["test('stops (A1, B12)', () => {});", ['A1', 'B12']],
    ["test.each(['a'])('by %s (A1)', () => {});", ['A1']],
    ['for (const way of ways) test(`by \u0024{way} (A1)`, () => {});', ['A1']],
    ["describe('stops (A1)', () => { test('once (A2)', () => {}); });", ['A1', 'A2']],
    ["test('stops (A1) at once', () => {});", []],
    ["test('stops A1', () => {});", []],
    ["// test('in a comment (A1)', () => {});", []],
    ["expect('in a string (A1)').toBe('(A1)');", []],
    ["test.skip('skipped (A1)', () => {});", []],
    ["test.skipIf(isWindows)('skipped on some systems (A1)', () => {});", ['A1']],
    ["test.todo('to do (A1)');", []],
    ["test.fails('fails (A1)', () => {});", []],
    ["describe.skip('skipped', () => { test('inside (A1)', () => {}); });", []],
  ])('of %s', (text, ids) => {
    expect(idsInTitles(text)).toEqual(ids);
  });
});

describe('the comparison with the titles', () => {
  const page = [line('A1'), line('B1', 'runfence/http')];

  test('says nothing of behaviours that are shown, and of those to come', () => {
    expect(titleProblems(page, new Set(['A1']))).toEqual([]);
  });

  test('tells of a behaviour that no test shows', () => {
    expect(titleProblems(page, new Set())).toEqual(['no title of a test has (A1)']);
  });

  test.each(['B1', 'Z1'])('tells of a title with (%s), which is none', (id) => {
    expect(titleProblems(page, new Set(['A1', id]))).toEqual([`(${id}) in a title is no behaviour that is there`]);
  });
});

test('the summary counts behaviours and parts', () => {
  expect(summary([line('A1'), line('A2'), line('B1', 'runfence/http')])).toBe(
    'behaviours: 2 of 3 shown; to come: 1 runfence/http',
  );
});
