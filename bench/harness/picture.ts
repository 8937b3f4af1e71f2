import type { Report } from './report.js';
import { number } from './table.js';
import type { Judged } from './verdict.js';

const WIDTH = 960;
const LEFT = 400;
const RIGHT = 90;
const LINE = 22;
const TOP = 64;

interface Line {
  readonly label: string;
  readonly isTitle: boolean;
  /** The same figure of each report, in their order. */
  readonly figures: readonly (Judged | undefined)[];
}

/**
 * The ratios of one or more reports against their peers, on a logarithmic scale: left of the line at 1x
 * runfence is cheaper. Its colours follow the page's, light or dark.
 */
export function pictureOf(reports: readonly Report[]): string {
  const lines = linesOf(reports);
  const scale = scaleOf(lines.flatMap(({ figures }) => figures).filter((figure) => figure !== undefined));
  const height = TOP + lines.length * LINE + 24;
  const body = lines.map((line, at) => lineOf(line, TOP + at * LINE, scale));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title">
<title id="title">What runfence costs against its peers, measured side by side</title>
<style>
  svg { color-scheme: light dark; --ink: #1f2328; --faint: #d1d9e0; --ours: #0969da; --missed: #cf222e; --budget: #9a6700; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #f0f6fc; --faint: #3d444d; --ours: #4493f8; --missed: #f85149; --budget: #d29922; }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--ink); }
  .title { font-weight: 600; }
  .value { font-variant-numeric: tabular-nums; }
  .grid { stroke: var(--faint); }
  .one { stroke: var(--ink); }
  .spread { stroke: var(--ours); stroke-width: 2; opacity: 0.45; }
  .budget { stroke: var(--budget); stroke-width: 2; }
  .dot { fill: var(--ours); }
  .missed { fill: var(--missed); }
</style>
${legend(reports)}
${gridOf(scale, height)}
${body.join('\n')}
</svg>
`;
}

/** Where a ratio is drawn. */
interface Scale {
  readonly decades: readonly number[];
  x(value: number): number;
}

function linesOf(reports: readonly Report[]): Line[] {
  const lines: Line[] = [];
  for (const { id, title } of reports[0]?.rows ?? []) {
    const whats = new Map<string, (Judged | undefined)[]>();
    for (const [at, report] of reports.entries()) {
      const figures = report.rows.find((row) => row.id === id)?.figures ?? [];
      for (const figure of figures.filter(isAgainstPeer)) {
        const same = whats.get(figure.what) ?? reports.map(() => undefined);
        same[at] = figure;
        whats.set(figure.what, same);
      }
    }
    if (whats.size === 0) continue;
    lines.push({ label: `${id}  ${title}`, isTitle: true, figures: [] });
    for (const [label, figures] of whats) lines.push({ label, isTitle: false, figures });
  }
  return lines;
}

function isAgainstPeer({ unit, value }: Judged): boolean {
  return unit === 'x' && value > 0;
}

function scaleOf(figures: readonly Judged[]): Scale {
  const values = figures.flatMap(({ value, budget }) => (budget === undefined ? [value] : [value, budget]));
  const low = Math.floor(Math.log10(Math.min(1, ...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(1, ...values))));
  const width = WIDTH - LEFT - RIGHT;
  return {
    decades: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
    x: (value) => {
      const share = (Math.log10(value) - low) / (high - low);
      return Math.round((LEFT + Math.min(1, Math.max(0, share)) * width) * 10) / 10;
    },
  };
}

function gridOf({ decades, x }: Scale, height: number): string {
  return decades
    .map((value) => {
      const label = `<text x="${x(value)}" y="${TOP - 14}" text-anchor="middle">${Number(value.toPrecision(1))}x</text>`;
      const kind = value === 1 ? 'one' : 'grid';
      return `${label}<line class="${kind}" x1="${x(value)}" x2="${x(value)}" y1="${TOP - 8}" y2="${height - 12}"/>`;
    })
    .join('\n');
}

function legend(reports: readonly Report[]): string {
  const marks = reports.map(({ node }, at) => {
    const x = 16 + at * 120;
    return `${markOf(at, x, 20, 'dot')}<text x="${x + 10}" y="24">Node ${escaped(node)}</text>`;
  });
  const x = 16 + reports.length * 120;
  marks.push(`<line class="budget" x1="${x}" x2="${x}" y1="13" y2="27"/><text x="${x + 10}" y="24">budget</text>`);
  marks.push(`<text x="${x + 80}" y="24">left of 1x: cheaper than the peer; red: over budget</text>`);
  return marks.join('\n');
}

function lineOf({ label, isTitle, figures }: Line, top: number, { x }: Scale): string {
  const y = top + LINE / 2;
  const text = `<text class="${isTitle ? 'title' : 'label'}" x="${isTitle ? 16 : 40}" y="${y + 4}">${escaped(label)}</text>`;
  const parts = figures.map((figure, at) => {
    if (figure === undefined) return '';
    // Two reports of one figure stand above each other.
    const own = y + (figures.length === 1 ? 0 : (at - (figures.length - 1) / 2) * 7);
    const [low, high] = figure.spread ?? [figure.value, figure.value];
    const budget = figure.budget === undefined ? '' : tick(x(figure.budget), own);
    const spread = `<line class="spread" x1="${x(low)}" x2="${x(high)}" y1="${own}" y2="${own}"/>`;
    return `${budget}${spread}${markOf(at, x(figure.value), own, figure.verdict === 'missed' ? 'missed' : 'dot')}`;
  });
  const values = figures.map((figure) => (figure === undefined ? '-' : `${number(figure.value)}x`)).join(' / ');
  const value = `<text class="value" x="${WIDTH - 8}" y="${y + 4}" text-anchor="end">${values}</text>`;
  return `${text}${parts.join('')}${isTitle ? '' : value}`;
}

function tick(x: number, y: number): string {
  return `<line class="budget" x1="${x}" x2="${x}" y1="${y - 5}" y2="${y + 5}"/>`;
}

/** A circle for the first report, a square for the next. */
function markOf(at: number, x: number, y: number, kind: string): string {
  if (at === 0) return `<circle class="${kind}" cx="${x}" cy="${y}" r="4"/>`;
  return `<rect class="${kind}" x="${x - 3.5}" y="${y - 3.5}" width="7" height="7"/>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
