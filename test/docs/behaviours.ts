// Compares the lines of docs/behaviours.md with the ids in the titles of the tests.
import ts from 'typescript';

/** How many behaviours each letter has: A1 to A75, and so on. An id is never given to another behaviour. */
export const RANGES: Readonly<Record<string, number>> = {
  A: 92,
  B: 22,
  C: 39,
  D: 19,
  E: 14,
  F: 19,
  G: 25,
  H: 19,
  I: 26,
  J: 14,
  K: 17,
  L: 29,
  M: 13,
  N: 11,
};

export function idsOf(ranges: Readonly<Record<string, number>>): string[] {
  return Object.entries(ranges).flatMap(([letter, last]) =>
    Array.from({ length: last }, (_, index) => `${letter}${index + 1}`),
  );
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

/** Ids that are missing on the page, unknown, or there twice. */
export function pageProblems(ids: readonly string[], page: readonly Line[]): string[] {
  const found = page.map(({ id }) => id);
  const twice = new Set(found.filter((id, at) => found.indexOf(id) < at));
  return [
    ...[...twice].map((id) => `${id} is twice on the page`),
    ...ids.filter((id) => !found.includes(id)).map((id) => `${id} is not on the page`),
    ...found.filter((id) => !ids.includes(id)).map((id) => `${id} is in no range`),
  ];
}

/** `(A12)` or `(A12, B3)` at the end of a title. */
const SUFFIX = /\(([A-Z]\d+(?:, [A-Z]\d+)*)\)$/;
const NOT_RUN = /\.(skip|todo|fails)\b/;

/** The ids at the end of the titles of tests that run: those of `test` and of the `describe` around it. */
export function idsInTitles(text: string): string[] {
  const ids: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const callee = node.expression.getText();
      const [title] = node.arguments;
      if (/^(test|describe)\b/.test(callee) && title !== undefined) {
        if (NOT_RUN.test(callee)) return;
        ids.push(...(SUFFIX.exec(endOf(title))?.[1]?.split(', ') ?? []));
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('a.test.ts', text, ts.ScriptTarget.ES2022, true));
  return ids;
}

/** The end of a title, which may begin with what only the run knows. */
function endOf(title: ts.Node): string {
  if (ts.isStringLiteralLike(title)) return title.text;
  if (ts.isTemplateExpression(title)) return title.templateSpans.at(-1)?.literal.text ?? '';
  return '';
}

/** Behaviours that no test shows, and ids of titles that are none of a behaviour that is there. */
export function titleProblems(page: readonly Line[], shown: ReadonlySet<string>): string[] {
  const there = new Set(page.filter(({ later }) => later === undefined).map(({ id }) => id));
  return [
    ...[...there].filter((id) => !shown.has(id)).map((id) => `no title of a test has (${id})`),
    ...[...shown].filter((id) => !there.has(id)).map((id) => `(${id}) in a title is no behaviour that is there`),
  ];
}

/** Like `behaviours: 160 of 221 shown; to come: 25 runfence/http, ...`. */
export function summary(page: readonly Line[]): string {
  const parts = new Map<string, number>();
  for (const { later } of page) if (later !== undefined) parts.set(later, (parts.get(later) ?? 0) + 1);
  const rest = [...parts].map(([part, count]) => `${count} ${part}`).join(', ') || 'none';
  const shown = page.filter(({ later }) => later === undefined).length;
  return `behaviours: ${shown} of ${page.length} shown; to come: ${rest}`;
}
