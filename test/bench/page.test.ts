import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PAGE, PICTURE, REPORTS, withTables } from '../../bench/harness/page.js';
import { pictureOf } from '../../bench/harness/picture.js';
import type { Report } from '../../bench/harness/report.js';
import { RUNS } from '../../bench/harness/verdict.js';
import { rowIds } from '../../bench/rows/index.js';
import { root } from '../../tools/entries.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const reports = REPORTS.map((path) => JSON.parse(read(path)) as Report);

describe('docs/performance.md', () => {
  test('has the tables that its JSON files give: npm run bench:page', () => {
    expect(read(PAGE)).toBe(withTables(read(PAGE), reports));
  });

  test('has the picture that they give: npm run bench:page', () => {
    expect(read(PICTURE)).toBe(pictureOf(reports));
  });

  test.each(reports.map((report) => [report.node, report] as const))(
    'has every row, measured: Node %s',
    (_, report) => {
      expect(report.rows.map(({ id }) => id)).toEqual(rowIds);
      const figures = report.rows.flatMap((row) => row.figures);
      // A quick look has no budgets, and a missed one was measured again.
      expect(figures.some(({ budget }) => budget !== undefined)).toBe(true);
      expect(figures.filter(({ verdict, runs }) => verdict === 'missed' && runs < RUNS)).toEqual([]);
    },
  );

  test('is about the versions of Node that its files are named after', () => {
    expect(reports.map(({ node }) => node.split('.')[0])).toEqual(['20', '24']);
  });
});

describe('the tables of a page', () => {
  const report: Report = {
    node: '20.1.0',
    cpu: 'A processor',
    date: '2026-01-02T03:04:05.000Z',
    rows: [
      {
        id: '4',
        title: 'empty work',
        figures: [{ what: 'a | <b>', unit: 'B', value: 300, verdict: 'shown', missedRuns: 0, runs: 1 }],
      },
    ],
  };
  const page = 'before\n<!-- bench: node 20 -->\nold\n<!-- end: node 20 -->\nafter\n';

  test('stand between their comments, whatever was there, with what is markup escaped', () => {
    const text = withTables(page, [report]);
    expect(text).toMatch(
      /^before\n<!-- bench: node 20 -->\n\nNode 20\.1\.0, A processor, 2026-01-02\.\n\n\*\*Row 4: empty work\*\*\n\n/,
    );
    // Only the columns that have something.
    expect(text).toContain('\n|  | result (p10-p90) |\n|---|---|\n| a \\| &lt;b> | 300 B |\n');
    expect(text).toMatch(/\|\n\n<!-- end: node 20 -->\nafter\n$/);
    expect(text).not.toContain('old');
    expect(withTables(text, [report])).toBe(text);
  });

  test('have what both sides took, the spread and the budgets', () => {
    const peer = { name: 'p-limit', ns: 100 };
    const ratio = { what: 'a', unit: 'x', value: 2, spread: [1, 3], ours: 200, peer, budget: 1, stretch: 0.5 } as const;
    const figure = { ...ratio, verdict: 'missed', missedRuns: 3, runs: 3 } as const;
    const text = withTables(page, [{ ...report, rows: [{ id: '4', title: 'empty work', figures: [figure] }] }]);
    expect(text).toContain('|  | result (p10-p90) | budget (stretch) | verdict | runfence | peer |');
    expect(text).toContain(
      '| a | 2.00x (1.00-3.00) | 1.00x (0.500x) | MISSED in 3 of 3 runs | 200 ns | 100 ns, p-limit |',
    );
  });

  test('need a place', () => {
    expect(() => withTables(page, [{ ...report, node: '24.0.0' }])).toThrow('no place for the table of Node 24');
    expect(() => withTables('<!-- end: node 20 -->\n<!-- bench: node 20 -->\n', [report])).toThrow('no place');
  });
});
