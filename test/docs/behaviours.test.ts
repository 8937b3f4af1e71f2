import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../tools/entries.js';
import {
  type Collected,
  collectTests,
  compareIds,
  compareTests,
  filesOf,
  idsOf,
  RANGES,
  readMap,
  readPage,
  summary,
} from './behaviours.js';

const COLLECT_MS = 60_000;

describe('docs/behaviours.md', () => {
  const page = readPage(readFileSync(join(root, 'docs/behaviours.md'), 'utf8'));
  const { behaviours, troubles } = readMap(readFileSync(join(root, 'test/behaviours.json'), 'utf8'));

  test('test/behaviours.json is well formed', () => {
    expect(troubles).toEqual([]);
  });

  test('has each id once, and so has test/behaviours.json', () => {
    expect(compareIds(idsOf(RANGES), page, behaviours)).toEqual([]);
  });

  test('names tests that exist and run', { timeout: COLLECT_MS }, async () => {
    const collected = await collectTests(root, filesOf(behaviours));
    expect(collected.troubles).toEqual([]);
    expect(compareTests(behaviours, collected)).toEqual([]);
    process.stdout.write(`${summary(behaviours)}\n`);
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

describe('the reader of the JSON', () => {
  test('takes tests, and parts with a reason', () => {
    const text =
      '{\n  "A1": { "tests": ["a.test.ts > one"] },\n  "B1": { "n/a": "belongs to runfence/http: sockets" }\n}';
    expect(readMap(text)).toEqual({
      behaviours: [
        { id: 'A1', tests: ['a.test.ts > one'], later: undefined },
        { id: 'B1', tests: [], later: 'runfence/http' },
      ],
      troubles: [],
    });
  });

  test.each([
    ['nothing', {}],
    ['no tests', { tests: [] }],
    ['a test that is no text', { tests: [1] }],
    ['a reason without its part', { 'n/a': 'not needed' }],
    ['a part without a reason', { 'n/a': 'belongs to runfence/http: ' }],
    ['both', { tests: ['a.test.ts > one'], 'n/a': 'belongs to runfence/http: sockets' }],
    ['another key', { test: 'a.test.ts > one' }],
    ['a test twice', { tests: ['a.test.ts > one', 'a.test.ts > one'] }],
  ])('tells of %s', (_what, value) => {
    expect(readMap(JSON.stringify({ A1: value })).troubles).toEqual([expect.stringMatching(/^A1 /)]);
  });

  test('tells of an id that is there twice', () => {
    const text = '{\n  "A1": { "tests": ["a > one"] },\n  "A1": { "tests": ["a > two"] }\n}';
    expect(readMap(text).troubles).toEqual(['A1 is twice in the JSON']);
  });
});

describe('the comparison of ids', () => {
  const line = (id: string, later?: string) => ({ id, later });
  const shown = (id: string, later?: string) => ({ id, tests: ['a > one'], later });

  test('says nothing of ids that are everywhere', () => {
    expect(compareIds(['A1', 'A2'], [line('A1'), line('A2')], [shown('A1'), shown('A2')])).toEqual([]);
  });

  test.each([
    ['missing on the page', [line('A1')], [shown('A1'), shown('A2')], 'A2 is not on the page'],
    ['missing in the JSON', [line('A1'), line('A2')], [shown('A1')], 'A2 is not in the JSON'],
    ['in no range, on the page', [line('A1'), line('A2'), line('A3')], [shown('A1'), shown('A2')], 'A3 is in no range'],
    [
      'in no range, in the JSON',
      [line('A1'), line('A2')],
      ['A1', 'A2', 'Z1'].map((id) => shown(id)),
      'Z1 is in no range',
    ],
    ['twice', [line('A1'), line('A2'), line('A1')], [shown('A1'), shown('A2')], 'A1 is twice in the page'],
    [
      'there on the page, and not in the JSON',
      [line('A1'), line('A2')],
      [shown('A1'), shown('A2', 'Run streams')],
      'A2 is there on the page, and in Run streams in the JSON',
    ],
  ])('tells of an id that is %s', (_what, page, map, trouble) => {
    expect(compareIds(['A1', 'A2'], page, map)).toEqual([trouble]);
  });

  test('knows the ranges', () => {
    expect(idsOf({ A: 2, I: 1 })).toEqual(['A1', 'A2', 'I1']);
    expect(idsOf(RANGES)).toHaveLength(221);
  });
});

describe('the comparison with the tests', () => {
  const folder = '.cache/behaviour-samples';
  const file = `${folder}/sample.test.ts`;
  const broken = `${folder}/broken.test.ts`;
  let collected: Collected;

  beforeAll(async () => {
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(
      join(root, file),
      [
        "import { describe, expect, test } from 'vitest';",
        "// test('in a comment', () => {});",
        'const text = "test(\'in a string\', () => {})";',
        "describe('outer', () => {",
        "  describe('inner', () => { test('nested', () => { expect(text).toBeDefined(); }); });",
        "  test.each([1, 2])('number %i', () => {});",
        "  for (const way of ['a', 'b']) test('by ' + way, () => {});",
        "  test.skip('skipped', () => {});",
        "  test.skipIf(true)('skipped here', () => {});",
        "  test.todo('to do');",
        "  test.fails('fails', () => { throw new Error('no'); });",
        '});',
        "describe.skip('skipped', () => { test('inside', () => {}); });",
      ].join('\n'),
    );
    writeFileSync(join(root, broken), "throw new Error('broken');\n");
    collected = await collectTests(root, [file, broken], { config: false, include: [`${folder}/*.test.ts`] });
  }, COLLECT_MS);

  const compare = (name: string) => compareTests([{ id: 'A1', tests: [name], later: undefined }], collected);

  test.each(['outer > inner > nested', 'outer > number 1', 'outer > number 2', 'outer > by b'])('finds %s', (name) => {
    expect(compare(`${file} > ${name}`)).toEqual([]);
  });

  test.each([
    `${file} > in a comment`,
    `${file} > in a string`,
    `${file} > nested`,
    `${file} > outer > number %i`,
    `${file} > outer > number 3`,
    `${file} > outer`,
    file,
    `${folder}/other.test.ts > outer > inner > nested`,
  ])('tells of what is no test: %s', (name) => {
    expect(compare(name)).toEqual([`A1: there is no test "${name}"`]);
  });

  test.each(['outer > skipped', 'outer > skipped here', 'outer > to do', 'outer > fails', 'skipped > inside'])(
    'tells of a test that would not run: %s',
    (name) => {
      expect(compare(`${file} > ${name}`)).toEqual([`A1: "${file} > ${name}" would not prove anything`]);
    },
  );

  test('tells of a file that cannot be collected', () => {
    expect(collected.troubles).toEqual([expect.stringContaining('broken')]);
  });
});

test('the summary counts behaviours, tests and parts', () => {
  const behaviours = [
    { id: 'A1', tests: ['a > one', 'a > two'], later: undefined },
    { id: 'A2', tests: ['a > one'], later: undefined },
    { id: 'B1', tests: [], later: 'runfence/http' },
  ];
  expect(summary(behaviours)).toBe('behaviours: 2 of 3 shown by 2 tests; n/a: 1 runfence/http');
});
