import { describe, expect, test } from 'vitest';
import { pictureOf } from '../../bench/harness/picture.js';
import type { Report } from '../../bench/harness/report.js';
import { number, tableOf } from '../../bench/harness/table.js';
import { judge } from '../../bench/harness/verdict.js';

function report(node: string, value: number): Report {
  const figures = judge([
    [
      {
        what: 'against <peer>',
        unit: 'x',
        value,
        spread: [value * 0.9, value * 1.2],
        ours: value * 100,
        peer: { name: 'p-limit', ns: 100 },
        budget: 1,
        stretch: 0.1,
      },
      { what: 'heap', unit: 'B', value: 300 },
    ],
  ]);
  return { node, cpu: '', date: '', rows: [{ id: '4', title: 'empty work', figures }] };
}

describe('the table', () => {
  test('has both sides, the ratio, its spread, the budgets and the verdict in one line', () => {
    const [head, title, line, heap] = tableOf(report('20', 2).rows).split('\n');
    expect(head).toMatch(/^row +what +runfence +peer +result +p10-p90 +budget +stretch +verdict$/);
    expect(title).toBe('4    empty work');
    expect(line).toMatch(/^ +against <peer> +200 ns +100 ns +p-limit +2\.00x +1\.80-2\.40 +1\.00x +0\.100x +MISSED$/);
    expect(heap).toMatch(/^ +heap +300 B$/);
  });

  test.each([
    [0, '0'],
    [-0.00001, '0'],
    [0.0123, '0.0123'],
    [0.5, '0.500'],
    [12.34, '12.3'],
    [1234.5, '1235'],
  ])('shows %d as %s', (value, text) => {
    expect(number(value)).toBe(text);
  });
});

describe('the picture', () => {
  const svg = pictureOf([report('20.1.0', 2), report('24.2.0', 0.05)]);
  const at = (pattern: RegExp, drawn = svg): number => Number([...drawn.matchAll(pattern)].at(-1)?.[1]);
  const one = at(/<line class="one" x1="([\d.]+)"/g);

  test('is one well-formed svg, with its labels escaped', () => {
    expect(svg.match(/<svg /g)).toHaveLength(1);
    expect(svg.trimEnd().endsWith('</svg>')).toBe(true);
    expect(svg).toContain('against &lt;peer&gt;');
    expect(svg).not.toMatch(/NaN|undefined/);
  });

  test('has a mark a report: a ratio over 1x is right of the line, one below it left', () => {
    expect(at(/<circle class="missed" cx="([\d.]+)"/g)).toBeGreaterThan(one);
    expect(at(/<rect class="mark" x="([\d.]+)"/g)).toBeLessThan(one);
    expect(svg).toContain('<tspan class="missed">2.00x</tspan> / 0.0500x');
  });

  test('draws the budget where it is', () => {
    const budgets = [...svg.matchAll(/<line class="budget" x1="([\d.]+)"/g)].map(([, x]) => Number(x));
    expect(budgets.filter((x) => x === one)).toHaveLength(2);
  });

  test('says by an arrow that a ratio is beyond its edge', () => {
    const beyond = pictureOf([report('20.1.0', 400), report('24.2.0', 0.0004)]);
    expect(beyond).not.toContain('NaN');
    const arrows = [...beyond.matchAll(/<path class="\w+" d="M([\d.]+) /g)].map(([, x]) => Number(x));
    expect(arrows).toHaveLength(2);
    expect(arrows[0]).toBeGreaterThan(at(/<line class="grid" x1="([\d.]+)"/g, beyond));
    expect(arrows[1]).toBeLessThan(at(/<line class="grid" x1="(16)"/g, beyond));
  });

  test('shows ratios only, and follows the colour scheme of the page', () => {
    expect(svg).not.toContain('>heap<');
    expect(svg).toContain('prefers-color-scheme: dark');
  });
});
