import type { Report } from './report.js';
import { number } from './table.js';
import type { Judged } from './verdict.js';

/** Narrow, so that the text is still read on a phone. */
const WIDTH = 400;
const LEFT = 16;
const PLOT_END = 284;
const TOP = 92;
const TITLE_HEIGHT = 30;
const FIGURE_HEIGHT = 35;

/** What is beyond is an arrow at the edge: its value is beside it. */
const DECADES = [0.01, 0.1, 1, 10] as const;

const STYLE = `
  .bg { fill: #ffffff; }
  text { font: 12px system-ui, sans-serif; fill: #1c2530; }
  .title { font-weight: 600; font-size: 13px; }
  .peer { fill: #46525f; }
  .value { text-anchor: end; font-variant-numeric: tabular-nums; }
  .grid { stroke: #d5dbe3; }
  .one { stroke: #5b6b7f; }
  .spread { stroke: #0969da; stroke-width: 2; opacity: 0.4; }
  .budget { stroke: #8a5a00; stroke-width: 2; }
  .mark { fill: #0969da; }
  .missed { fill: #b3261e; }
  @media (prefers-color-scheme: dark) {
    .bg { fill: #1e1f22; }
    text { fill: #e7ebf0; }
    .peer { fill: #b4bfcc; }
    .grid { stroke: #3a3f47; }
    .one { stroke: #9fb0c3; }
    .spread { stroke: #6cb0ff; }
    .budget { stroke: #e3b341; }
    .mark { fill: #6cb0ff; }
    .missed { fill: #ff8a80; }
  }`;

interface Line {
  readonly label: string;
  readonly peer: string;
  /** The same figure of each report, in their order. */
  readonly figures: readonly (Judged | undefined)[];
}

interface Group {
  readonly title: string;
  readonly lines: readonly Line[];
}

/** The ratios of one or more reports against their peers, on a logarithmic scale. */
export function pictureOf(reports: readonly Report[]): string {
  let y = TOP;
  const body = groupsOf(reports).flatMap(({ title, lines }) => {
    const parts = [text(LEFT, y + 18, title, 'title')];
    y += TITLE_HEIGHT;
    for (const line of lines) {
      parts.push(drawn(line, y));
      y += FIGURE_HEIGHT;
    }
    return parts;
  });
  const height = y + 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title desc">
<title id="title">What runfence costs against its peers</title>
<desc id="desc">For each figure of the benchmark the ratio of what runfence takes to what its peer takes, with its budget. The tables of the page have the same figures.</desc>
<style>${STYLE}
</style>
<rect class="bg" width="${WIDTH}" height="${height}"/>
${legend(reports)}
${grid(height)}
${body.join('\n')}
</svg>
`;
}

function groupsOf(reports: readonly Report[]): Group[] {
  const rows = new Map(reports.flatMap((report) => report.rows.map(({ id, title }) => [id, title] as const)));
  const groups = [...rows].map(([id, title]): Group => {
    const lines = new Map<string, (Judged | undefined)[]>();
    for (const [at, report] of reports.entries()) {
      for (const figure of report.rows.find((row) => row.id === id)?.figures ?? []) {
        if (figure.unit !== 'x' || figure.value <= 0) continue;
        const same = lines.get(figure.what) ?? reports.map(() => undefined);
        same[at] = figure;
        lines.set(figure.what, same);
      }
    }
    return {
      title: `${id}: ${title}`,
      lines: [...lines].map(([label, figures]) => {
        const peer = figures.find((figure) => figure !== undefined)?.peer?.name ?? '';
        return { label, peer: label.includes('against') ? '' : `, ${peer}`, figures };
      }),
    };
  });
  return groups.filter(({ lines }) => lines.length > 0);
}

/** Where a ratio is drawn; undefined if that is beyond the edge. */
function xOf(value: number): number | undefined {
  const [low, high] = [Math.log10(DECADES[0]), Math.log10(DECADES[DECADES.length - 1] as number)];
  const share = (Math.log10(value) - low) / (high - low);
  return share < 0 || share > 1 ? undefined : rounded(LEFT + share * (PLOT_END - LEFT));
}

function edgeOf(value: number): number {
  return value < 1 ? LEFT : PLOT_END;
}

function grid(height: number): string {
  return DECADES.map((value) => {
    const x = xOf(value) as number;
    const line = `<line class="${value === 1 ? 'one' : 'grid'}" x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${height - 8}"/>`;
    return `<text x="${x}" y="${TOP - 12}" text-anchor="middle">${value}x</text>${line}`;
  }).join('\n');
}

function legend(reports: readonly Report[]): string {
  const nodes = reports.map(({ node }, at) => {
    const x = LEFT + 5 + at * 120;
    return mark(at, x, 18, 'mark') + text(x + 10, 22, `Node ${node}`);
  });
  return [
    ...nodes,
    `${tick(LEFT + 5, 38)}${text(LEFT + 15, 42, 'budget')}`,
    `${mark(0, LEFT + 77, 38, 'missed')}${text(LEFT + 87, 42, 'over its budget')}`,
    text(LEFT, 62, 'Left of 1x, runfence is cheaper than its peer.'),
  ].join('\n');
}

function drawn({ label, peer, figures }: Line, top: number): string {
  const parts = [
    `<text x="${LEFT}" y="${top + 12}">${escaped(label)}<tspan class="peer">${escaped(peer)}</tspan></text>`,
  ];
  const middle = top + 24;
  for (const [at, figure] of figures.entries()) {
    if (figure === undefined) continue;
    const kind = figure.verdict === 'missed' ? 'missed' : 'mark';
    // Two reports of one figure stand above each other.
    const y = rounded(middle + (at - (figures.length - 1) / 2) * 8);
    const { value, budget, spread: [low, high] = [value, value] } = figure;
    const [from, to] = [xOf(low) ?? edgeOf(low), xOf(high) ?? edgeOf(high)];
    parts.push(`<line class="spread" x1="${from}" x2="${to}" y1="${y}" y2="${y}"/>`);
    if (budget !== undefined) parts.push(tick(xOf(budget) ?? edgeOf(budget), y));
    const x = xOf(value);
    parts.push(x === undefined ? arrow(edgeOf(value), y, kind) : mark(at, x, y, kind));
  }
  const values = figures.map((figure) => {
    if (figure === undefined) return '-';
    const value = `${number(figure.value)}x`;
    return figure.verdict === 'missed' ? `<tspan class="missed">${value}</tspan>` : value;
  });
  parts.push(`<text class="value" x="${WIDTH - 6}" y="${middle + 4}">${values.join(' / ')}</text>`);
  return parts.join('');
}

function text(x: number, y: number, content: string, kind?: string): string {
  return `<text${kind === undefined ? '' : ` class="${kind}"`} x="${x}" y="${y}">${escaped(content)}</text>`;
}

function tick(x: number, y: number): string {
  return `<line class="budget" x1="${x}" x2="${x}" y1="${y - 5}" y2="${y + 5}"/>`;
}

/** A circle for the first report, a square for the next. */
function mark(at: number, x: number, y: number, kind: string): string {
  if (at === 0) return `<circle class="${kind}" cx="${x}" cy="${y}" r="3.5"/>`;
  return `<rect class="${kind}" x="${rounded(x - 3)}" y="${y - 3}" width="6" height="6"/>`;
}

/** Points out of the picture. */
function arrow(x: number, y: number, kind: string): string {
  const tip = x === LEFT ? x - 7 : x + 7;
  return `<path class="${kind}" d="M${tip} ${y}L${x} ${y - 4}V${y + 4}Z"/>`;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
