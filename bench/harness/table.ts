import type { Unit } from './figure.js';
import type { RowReport } from './report.js';
import type { Judged } from './verdict.js';

const HEAD = ['row', 'what', 'runfence', 'peer', '', 'result', 'p10-p90', 'budget', 'stretch', 'verdict'];

/** The report as a table for a terminal. */
export function tableOf(rows: readonly RowReport[]): string {
  const lines = rows.flatMap(({ id, title, figures }) => [
    [id, title],
    ...figures.map((figure) => ['', `  ${figure.what}`, ...cells(figure)]),
  ]);
  const widths = HEAD.map((head, at) =>
    Math.max(head.length, ...lines.filter(isFull).map((line) => line[at]?.length ?? 0)),
  );
  const pad = (line: readonly string[]): string =>
    line
      .map((cell, at) => (isText(at) ? cell.padEnd(widths[at] as number) : cell.padStart(widths[at] as number)))
      .join('  ');
  return [HEAD, ...lines].map((line) => pad(line).trimEnd()).join('\n');
}

/** A title runs over the columns behind it. */
function isFull(line: readonly string[]): boolean {
  return line.length > 2;
}

function isText(column: number): boolean {
  return column <= 1 || column === 4 || column === 9;
}

/** What stands behind the name of a figure, in the order of the head. */
export function cells(figure: Judged): string[] {
  const { unit, value, spread, ours, peer, budget, stretch } = figure;
  return [
    ours === undefined ? '' : nanoseconds(ours),
    peer === undefined ? '' : nanoseconds(peer.ns),
    peer?.name ?? '',
    shown(value, unit),
    spread === undefined ? '' : `${number(spread[0])}-${number(spread[1])}`,
    budget === undefined ? '' : shown(budget, unit),
    stretch === undefined ? '' : shown(stretch, unit),
    verdict(figure),
  ];
}

function verdict({ verdict: word, missedRuns, runs }: Judged): string {
  if (word === 'shown') return '';
  if (word === 'missed') return runs === 1 ? 'MISSED' : `MISSED in ${runs} of ${runs} runs`;
  return missedRuns === 0 ? word : `${word} (missed in ${missedRuns} of ${runs} runs)`;
}

function shown(value: number, unit: Unit): string {
  if (unit === '' && Number.isInteger(value)) return `${value}`;
  return unit === 'x' ? `${number(value)}x` : `${number(value)} ${unit}`.trimEnd();
}

function nanoseconds(ns: number): string {
  if (ns < 1e4) return shown(ns, 'ns');
  return ns < 1e7 ? shown(ns / 1e3, 'us') : shown(ns / 1e6, 'ms');
}

/** Three digits: more would be noise. */
export function number(value: number): string {
  if (Math.abs(value) < 0.00005) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 4));
}
