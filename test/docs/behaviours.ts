// Compares docs/behaviours.md, test/behaviours.json and the tests that the latter names.
import { createVitest } from 'vitest/node';

/** How many behaviours each letter has: A1 to A75, and so on. An id is never given to another behaviour. */
export const RANGES: Readonly<Record<string, number>> = {
  A: 75,
  B: 17,
  C: 36,
  D: 15,
  E: 11,
  F: 12,
  G: 25,
  H: 9,
  I: 21,
};

export function idsOf(ranges: Readonly<Record<string, number>>): string[] {
  return Object.entries(ranges).flatMap(([letter, last]) =>
    Array.from({ length: last }, (_, index) => `${letter}${index + 1}`),
  );
}

/** Where a behaviour is shown: by tests (`file > describe > name`), or in a part that is still to come. */
export interface Behaviour {
  readonly id: string;
  readonly tests: readonly string[];
  /** The part that it belongs to. */
  readonly later: string | undefined;
}

/** A line of the page. */
export interface Line {
  readonly id: string;
  /** The heading below "Not there yet" that it stands under. */
  readonly later: string | undefined;
}

/** The lines `- **A1** ...` of the page. */
export function readPage(text: string): Line[] {
  const lines: Line[] = [];
  let isLater = false;
  let later: string | undefined;
  for (const line of text.split('\n')) {
    const heading = /^(##+) (.+)$/.exec(line);
    if (heading !== null) {
      const name = (heading[2] ?? '').replaceAll('`', '');
      if (heading[1] === '##') isLater = name === 'Not there yet';
      later = isLater && heading[1] === '###' ? name : undefined;
    }
    const id = /^- \*\*([A-Z]\d+)\*\* \S/.exec(line)?.[1];
    if (id !== undefined) lines.push({ id, later });
  }
  return lines;
}

const REASON = /^belongs to (runfence\/[a-z]+|Run streams): \S/;

/** The entries of the JSON, and what is wrong with its text. */
export function readMap(text: string): { behaviours: Behaviour[]; troubles: string[] } {
  const troubles: string[] = [];
  const behaviours: Behaviour[] = [];
  for (const [id, value] of Object.entries(JSON.parse(text) as Record<string, unknown>)) {
    const { tests, 'n/a': reason } = value as { tests?: unknown; 'n/a'?: unknown };
    const later = typeof reason === 'string' ? REASON.exec(reason)?.[1] : undefined;
    const named = Array.isArray(tests) ? tests.filter((test): test is string => typeof test === 'string') : [];
    if (Object.keys(value as object).length !== 1 || (later === undefined && named.length === 0)) {
      troubles.push(`${id} must have either "tests" or "n/a" with "belongs to <part>: <reason>"`);
    }
    if (new Set(named).size < named.length) troubles.push(`${id} names a test twice`);
    behaviours.push({ id, tests: named, later });
  }
  // JSON.parse keeps the last of two equal keys.
  troubles.push(
    ...twice(
      [...text.matchAll(/^ {2}"([^"]+)":/gm)].map((match) => match[1] ?? ''),
      'the JSON',
    ),
  );
  return { behaviours, troubles };
}

/** Ids that are missing, unknown or there twice; and parts on which page and JSON do not agree. */
export function compareIds(ids: readonly string[], page: readonly Line[], map: readonly Behaviour[]): string[] {
  const onPage = new Map(page.map((line) => [line.id, line]));
  const inMap = new Map(map.map((behaviour) => [behaviour.id, behaviour]));
  const troubles = twice(
    page.map(({ id }) => id),
    'the page',
  );
  for (const id of ids) {
    if (!onPage.has(id)) troubles.push(`${id} is not on the page`);
    if (!inMap.has(id)) troubles.push(`${id} is not in the JSON`);
  }
  for (const id of new Set([...onPage.keys(), ...inMap.keys()])) {
    if (!ids.includes(id)) troubles.push(`${id} is in no range`);
  }
  for (const [id, { later }] of onPage) {
    const behaviour = inMap.get(id);
    if (behaviour !== undefined && behaviour.later !== later) {
      troubles.push(`${id} is ${where(later)} on the page, and ${where(behaviour.later)} in the JSON`);
    }
  }
  return troubles;
}

function where(later: string | undefined): string {
  return later === undefined ? 'there' : `in ${later}`;
}

function twice(ids: readonly string[], what: string): string[] {
  return [...new Set(ids.filter((id, at) => ids.indexOf(id) < at))].map((id) => `${id} is twice in ${what}`);
}

/** What vitest collected: every test by its full name, and whether it would run. */
export interface Collected {
  readonly willRun: ReadonlyMap<string, boolean>;
  readonly troubles: readonly string[];
}

/**
 * Lets vitest collect the tests of these files, so that names are those of its reports, also of `test.each`.
 *
 * @param files - relative to the root
 * @param options - others than those of vitest.config.ts
 */
export async function collectTests(
  root: string,
  files: readonly string[],
  options: { readonly config?: false; readonly include?: string[] } = {},
): Promise<Collected> {
  const vitest = await createVitest('test', { root, watch: false, reporters: [{}], ...options });
  try {
    const { testModules, unhandledErrors } = await vitest.collect([...files]);
    const willRun = new Map<string, boolean>();
    const troubles = unhandledErrors.map(String);
    for (const module of testModules) {
      for (const error of module.errors()) troubles.push(`${module.relativeModuleId}: ${error.message}`);
      for (const test of module.children.allTests()) {
        const { mode, fails } = test.options;
        const name = `${module.relativeModuleId} > ${test.fullName}`;
        // Titles are not always unique: a name is as good as the worst test that has it.
        willRun.set(name, mode === 'run' && fails !== true && willRun.get(name) !== false);
      }
    }
    return { willRun, troubles };
  } finally {
    await vitest.close();
  }
}

/** Tests that do not exist, or are skipped, still to do, or expected to fail. */
export function compareTests(behaviours: readonly Behaviour[], { willRun }: Collected): string[] {
  return behaviours.flatMap(({ id, tests }) =>
    tests.flatMap((test) => {
      const runs = willRun.get(test);
      if (runs === true) return [];
      return [runs === undefined ? `${id}: there is no test "${test}"` : `${id}: "${test}" would not prove anything`];
    }),
  );
}

export function filesOf(behaviours: readonly Behaviour[]): string[] {
  return [...new Set(behaviours.flatMap(({ tests }) => tests.map((test) => test.split(' > ')[0] ?? '')))];
}

/** Like `behaviours: 160 of 221 shown by 200 tests; n/a: 25 runfence/process, ...`. */
export function summary(behaviours: readonly Behaviour[]): string {
  const shown = behaviours.filter(({ tests }) => tests.length > 0);
  const parts = new Map<string, number>();
  for (const { later } of behaviours) if (later !== undefined) parts.set(later, (parts.get(later) ?? 0) + 1);
  const tests = new Set(shown.flatMap((behaviour) => behaviour.tests)).size;
  const rest = [...parts].map(([part, count]) => `${count} ${part}`).join(', ') || 'none';
  return `behaviours: ${shown.length} of ${behaviours.length} shown by ${tests} tests; n/a: ${rest}`;
}
