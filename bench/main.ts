import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Measured, Message } from './child.js';
import type { Figure } from './harness/figure.js';
import { nodeBinary } from './harness/node.js';
import type { Report, RowReport } from './harness/report.js';
import { tableOf } from './harness/table.js';
import { judge, meetsAll, RUNS } from './harness/verdict.js';
import { rowIds } from './rows/index.js';

const USAGE = `npm run bench -- [--row N]... [--node 24] [--json FILE] [--quick]

  --row N      only this row; may be repeated (${rowIds.join(', ')})
  --node 24    measures on this version of Node instead of the one that runs
  --json FILE  writes the figures, for npm run bench:page
  --quick      tiny counts: whether everything still runs, not how fast`;

const { values: options } = parseArgs({
  options: {
    row: { type: 'string', multiple: true },
    node: { type: 'string' },
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const child = fileURLToPath(new URL('./child.js', import.meta.url));
const isTerminal = process.stderr.isTTY === true;

/** One run of one row, in a process of its own. */
function runOnce(binary: string, id: string, onProgress: (progress: string) => void): Promise<Measured> {
  return new Promise((resolve, reject) => {
    let measured: Measured | undefined;
    const row = fork(child, [id, options.quick ? 'quick' : 'full'], {
      execPath: binary,
      execArgv: ['--expose-gc', '--max-old-space-size=8192'],
    });
    row.on('message', (message: Message) => {
      if ('figures' in message) measured = message;
      else onProgress(message.progress);
    });
    row.on('error', reject);
    row.on('exit', (code, signal) => {
      if (code === 0 && measured !== undefined) resolve(measured);
      else reject(new Error(`Row ${id} ended with ${signal ?? `code ${code}`}.`));
    });
  });
}

/** What was only looked at is not judged. */
function withoutBudgets(figures: readonly Figure[]): Figure[] {
  return figures.map(({ budget, stretch, ...figure }) => figure);
}

/** A row that misses a budget is run again: it is missed only if it is missed every time. */
async function runRow(binary: string, id: string): Promise<{ readonly node: string; readonly report: RowReport }> {
  const start = performance.now();
  const runs: (readonly Figure[])[] = [];
  let last: Measured;
  do {
    const what = `row ${id}, run ${runs.length + 1}`;
    last = await runOnce(binary, id, (progress) => {
      if (isTerminal) process.stderr.write(`\r\x1b[K${what}: ${progress}`);
    });
    runs.push(last.figures);
  } while (!options.quick && runs.length < RUNS && !meetsAll(last.figures));
  const { title, node } = last;
  const seconds = ((performance.now() - start) / 1e3).toFixed(1);
  if (isTerminal) process.stderr.write('\r\x1b[K');
  console.error(`row ${id}: ${title} (${runs.length === 1 ? 'one run' : `${runs.length} runs`}, ${seconds} s)`);
  const figures = judge(options.quick ? runs.map(withoutBudgets) : runs);
  return { node, report: { id, title, figures } };
}

async function main(): Promise<void> {
  if (options.help) {
    console.log(USAGE);
    return;
  }
  const ids = options.row ?? rowIds;
  for (const id of ids) if (!rowIds.includes(id)) throw new Error(`There is no row ${id}.\n\n${USAGE}`);
  const binary = options.node === undefined ? process.execPath : nodeBinary(options.node);
  const rows: RowReport[] = [];
  let node = '';
  for (const id of ids) {
    const measured = await runRow(binary, id);
    node = measured.node;
    rows.push(measured.report);
  }
  console.log(`\nNode ${node}${options.quick ? ', a quick look: these are no measurements' : ''}\n`);
  console.log(tableOf(rows));
  if (options.json !== undefined) {
    const report: Report = { node, cpu: cpus()[0]?.model ?? '', date: new Date().toISOString(), rows };
    writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
}

await main();
