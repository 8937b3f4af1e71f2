/**
 * `npm run test:mutants`: are the tests tested? Puts one defect at a time into a copy of the sources and expects that a
 * named core test fails. Then the demo, with the fence disabled. `npm run test:mutants -- epilogue` takes only those
 * with that word in their name. Exits with 1 if a defect goes unnoticed, does not apply any more, or proves nothing.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runUnfencedDemo } from './demo.js';
import type { Mutant } from './mutant.js';
import { mutants, UNFENCED } from './mutants.js';
import { apply, copyProject, removeFolder, scratchFolder } from './scratch.js';
import { runSuite, type Verdict } from './suite.js';

const AT_A_TIME = 2;
const UNLOADABLE: Mutant = {
  name: 'a syntax error',
  shownBy: 'test/core/fence/function.test.ts',
  file: 'src/core/fence/function.ts',
  edits: [['export function fenceFunction<', 'export function fenceFunction(<']],
};

const problems: string[] = [];
const stopping = new AbortController();
const { signal } = stopping;
process.once('SIGINT', () => stopping.abort());
process.once('SIGTERM', () => stopping.abort());

async function main(): Promise<void> {
  const wanted = process.argv[2];
  const todo = mutants.filter(({ name }) => wanted === undefined || name.includes(wanted));
  if (todo.length === 0) throw new Error(`No mutant is called ${wanted}.`);
  const folder = await scratchFolder();
  try {
    const copies = Array.from({ length: AT_A_TIME }, (_, i) => join(folder, `copy-${i + 1}`));
    await Promise.all(copies.map(copyProject));
    // All of them before the first takes its seconds.
    for (const mutant of mutants) await checkApplies(mutant, copies[0] as string);
    if (problems.length > 0) return;
    await checkJudgement(copies);
    if (problems.length > 0) return;
    await tryAll(todo, copies);
    if (wanted === undefined) await tryDemo(copies[0] as string);
  } finally {
    await removeFolder(folder);
  }
}

async function checkApplies(mutant: Mutant, copy: string): Promise<void> {
  try {
    const undo = await apply(mutant, copy);
    await undo();
  } catch (error) {
    problem(mutant.name, `does not apply to ${mutant.file}: ${(error as Error).message}`);
  }
}

/** Before anything is taken for a kill: untouched sources are green, and a tree that does not load is no kill. */
async function checkJudgement(copies: readonly string[]): Promise<void> {
  const [first = '', second = ''] = copies;
  const [untouched, unloadable] = await Promise.all([runSuite(first, signal, 'core'), withMutant(UNLOADABLE, second)]);
  console.log(`The untouched copy: ${describe(untouched)}`);
  if (untouched.kind !== 'survived') problem('the untouched copy', 'is not green');
  if (unloadable.kind !== 'broken') problem(UNLOADABLE.name, `was taken for a defect that is ${unloadable.kind}`);
}

async function withMutant(mutant: Mutant, copy: string): Promise<Verdict> {
  const undo = await apply(mutant, copy);
  try {
    const isCore = mutant.file.startsWith('src/core/');
    const verdict = await runSuite(copy, signal, isCore ? 'core' : 'agent', mutant.shownBy);
    if (verdict.kind !== 'survived' || !isCore) return verdict;
    // The file of tests has moved on. The others, and first those of the same room, where it dies soonest.
    const inRoom = await runSuite(copy, signal, 'core', roomOf(mutant, copy));
    return inRoom.kind === 'survived' ? await runSuite(copy, signal, 'core') : inRoom;
  } finally {
    await undo();
  }
}

/** The folder of tests that mirrors the one of its file, or the nearest above it. */
function roomOf({ file }: Mutant, copy: string): string {
  let room = dirname(file).replace('src', 'test');
  while (!existsSync(join(copy, room))) room = dirname(room);
  return room;
}

async function tryAll(todo: readonly Mutant[], copies: readonly string[]): Promise<void> {
  const queue = [...todo];
  let done = 0;
  const work = async (copy: string): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const since = performance.now();
      const verdict = await withMutant(mutant, copy);
      const seconds = ((performance.now() - since) / 1_000).toFixed(1);
      done += 1;
      console.log(`[${done}/${todo.length}] ${mutant.name}\n    ${describe(verdict)}, ${seconds} s`);
      if (verdict.kind !== 'killed') problem(mutant.name, verdict.kind);
    }
  };
  await Promise.all(copies.map(work));
  console.log(`\n${todo.length} seeded defects, ${todo.length - problems.length} killed`);
}

async function tryDemo(copy: string): Promise<void> {
  const undo = await apply(UNFENCED, copy);
  const { isAsExpected, says } = await runUnfencedDemo(copy, signal);
  await undo();
  console.log(`The demo, where ${UNFENCED.name}: ${says}`);
  if (!isAsExpected) problem('the demo', 'did not fail because of the fence');
}

function describe(verdict: Verdict): string {
  if (verdict.kind === 'killed') return `killed by "${verdict.by}" in ${verdict.file}`;
  if (verdict.kind === 'survived') return `all ${verdict.tests} tests are green`;
  return `proves nothing: ${verdict.why}`;
}

function problem(name: string, what: string): void {
  problems.push(`${name}: ${what}`);
}

try {
  await main();
} catch (error) {
  if (!signal.aborted) throw error;
  console.error('Interrupted.');
  process.exitCode = 130;
}
if (problems.length > 0) {
  console.error(`\n${problems.length} problems:\n${problems.map((text) => `  ${text}`).join('\n')}`);
  process.exitCode = 1;
}
