import { readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type Ended, run } from './processes.js';

/** What the tests say about a copy of the sources. */
export type Verdict =
  | { readonly kind: 'killed'; readonly by: string; readonly file: string }
  | { readonly kind: 'survived'; readonly tests: number }
  /** Red, but no test has said why: proves nothing. */
  | { readonly kind: 'broken'; readonly why: string };

interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const TIME_LIMIT_MS = 90_000;
/** How JavaScript fails that does not compile, or names what is not there: no defect of logic fails like this. */
const CRASH = /^(SyntaxError|ReferenceError|TypeError: .* is not a (function|constructor))/;

/**
 * Runs the tests of a copy until the first of them fails.
 *
 * @param project - of vitest.config.ts
 * @param place - only those in this folder or file
 */
export async function runSuite(copy: string, signal: AbortSignal, project: string, place?: string): Promise<Verdict> {
  const file = join(copy, 'report.json');
  await rm(file, { force: true });
  const vitest = [
    process.execPath,
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    ...(place === undefined ? [] : [place]),
  ];
  // A worker each: as many mutants run side by side as there are cores.
  const options = ['--bail', '1', '--maxWorkers', '1', '--reporter', 'json', '--outputFile', file];
  const ended = await run([...vitest, ...options], { cwd: copy, timeoutMs: TIME_LIMIT_MS, signal });
  const report = await readFile(file, 'utf8').catch(() => undefined);
  return judge(copy, ended, report === undefined ? undefined : (JSON.parse(report) as Report));
}

function judge(copy: string, ended: Ended, report: Report | undefined): Verdict {
  if (ended.isTimedOut) return { kind: 'broken', why: `the tests were not over after ${TIME_LIMIT_MS / 1_000} s` };
  if (report === undefined) return { kind: 'broken', why: `no report: ${ended.output.slice(-1_000)}` };
  for (const { name, status, message, assertionResults } of report.testResults) {
    if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) {
      return { kind: 'broken', why: `${relative(copy, name)} did not load: ${message}` };
    }
  }
  const failures = report.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.filter((test) => test.status === 'failed').map((test) => ({ ...test, name })),
  );
  const [first] = failures;
  if (first === undefined) {
    if (ended.code === 0 && report.numPassedTests > 0) return { kind: 'survived', tests: report.numPassedTests };
    return { kind: 'broken', why: `red without a failed test: ${ended.output.slice(-1_000)}` };
  }
  const said = failures.find(({ failureMessages }) => !failureMessages.every((message) => CRASH.test(message)));
  if (said === undefined) return { kind: 'broken', why: `crashed: ${first.failureMessages[0]?.split('\n')[0]}` };
  return { kind: 'killed', by: said.fullName, file: relative(copy, said.name) };
}
