import type { Report } from './report.js';
import { cells } from './table.js';
import type { Judged } from './verdict.js';

/** From the root. The first is the picture's circle, the second its square. */
export const REPORTS = ['docs/assets/bench-node20.json', 'docs/assets/bench-node24.json'] as const;
export const PAGE = 'docs/performance.md';
export const PICTURE = 'docs/assets/performance.svg';

/** The page with its tables as the reports have them: each stands between two comments that name the version of Node. */
export function withTables(page: string, reports: readonly Report[]): string {
  return reports.reduce((text, report) => {
    const major = report.node.split('.')[0];
    const [start, end] = [`<!-- bench: node ${major} -->\n`, `<!-- end: node ${major} -->`];
    const [from, to] = [text.indexOf(start), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`${PAGE} has no place for the table of Node ${major}: ${start}${end}`);
    return `${text.slice(0, from + start.length)}\n${tablesOf(report)}\n\n${text.slice(to)}`;
  }, page);
}

/** A table for each row, with the columns that it needs: the page is not as wide as a terminal. */
function tablesOf({ node, cpu, date, rows }: Report): string {
  const tables = rows.map(({ id, title, figures }) => {
    const lines = figures.map(cellsOf);
    const columns = HEAD.map((_, at) => at).filter((at) => lines.some((line) => line[at] !== ''));
    const line = (cells: readonly string[]): string => `| ${columns.map((at) => cells[at]).join(' | ')} |`;
    const rule = `|${columns.map(() => '---').join('|')}|`;
    return [`**Row ${id}: ${title}**`, '', line(HEAD), rule, ...lines.map(line)].join('\n');
  });
  return [`Node ${node}, ${cpu}, ${date.slice(0, 10)}.`, ...tables].join('\n\n');
}

/** What matters most comes first: on a phone the rest is scrolled to. */
const HEAD = ['', 'result (p10-p90)', 'budget (stretch)', 'verdict', 'runfence', 'peer'] as const;

function cellsOf(figure: Judged): string[] {
  const [ours = '', peer = '', name = '', result = '', spread = '', budget = '', stretch = '', verdict = ''] =
    cells(figure);
  const both = (first: string, second: string): string => (second === '' ? first : `${first} (${second})`);
  const against = [peer, name].filter((part) => part !== '').join(', ');
  return [figure.what, both(result, spread), both(budget, stretch), verdict, ours, against].map(escaped);
}

function escaped(cell: string): string {
  return cell.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
