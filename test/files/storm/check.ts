/** A line that a process of the storm wrote: to the journal of a session, or, if it is of none, to that of all. */
export interface JournalLine {
  readonly what: 'begin' | 'grant' | 'write' | 'release' | 'stop' | 'end' | 'gap' | 'error';
  readonly pid: number;
  /** In ms, by the monotonic clock of the host. */
  readonly at: number;
  /** The generation of a begin, the token of the others. */
  readonly number?: number;
  /** For how long the process stood still, until `at`. */
  readonly ms?: number;
  readonly text?: string;
  /** Of a begin and of an end. */
  readonly runId?: string;
  /** How the run of an end ended, as its own process says. */
  readonly status?: string;
  /** The runs that an acknowledged stop has named. */
  readonly runIds?: readonly string[];
}

export interface Verdict {
  readonly grants: number;
  readonly writes: number;
  /** Records that came after one of a higher number, and that the reader drops. */
  readonly late: number;
  readonly violations: readonly string[];
}

/**
 * Checks the journal of a session.
 *
 * @param gaps - when which process stood still
 */
export function check(session: string, lines: readonly JournalLine[], gaps: readonly JournalLine[]): Verdict {
  const violations: string[] = [];
  const owners = new Map<number, JournalLine>();
  const accepted: JournalLine[] = [];
  const open = new Map<number, JournalLine>();
  let highest = 0;
  let late = 0;
  const complain = (line: JournalLine, text: string): void => {
    violations.push(`${session}: ${line.what} ${line.number} of ${line.pid} ${text}`);
  };
  for (const line of lines) {
    const { what, number = Number.NaN, pid } = line;
    if (what === 'stop' || what === 'end') continue;
    if (!(number > 0)) complain(line, 'has no number');
    const owner = owners.get(number);
    if (what === 'begin' || what === 'grant') {
      if (owner !== undefined) complain(line, `was given to ${owner.pid} as well`);
      owners.set(number, line);
    } else if (owner === undefined || owner.pid !== pid) {
      complain(line, 'was never granted to it');
    }
    if (what === 'begin') continue;
    // The reader rule: whoever comes after a higher number is not heard.
    if (number < highest) {
      late += 1;
      if (!stoodStill(line, owner ?? line, gaps))
        complain(line, `overlaps with ${highest}, though it never stood still`);
      continue;
    }
    if (what === 'grant') {
      for (const [other, grant] of open) {
        // Its holder was killed, or stood still; a holder that goes on is found as late.
        if (other > number) complain(line, `is below ${other} of ${grant.pid}`);
      }
      open.set(number, line);
    }
    if (what === 'release') open.delete(number);
    highest = number;
    accepted.push(line);
  }
  for (const [i, { number = 0 }] of accepted.entries()) {
    const before = accepted[i - 1]?.number ?? 0;
    if (number < before) violations.push(`${session}: the reader accepted ${number} after ${before}`);
  }
  violations.push(...missed(session, lines));
  return {
    grants: lines.filter(({ what }) => what === 'grant').length,
    writes: accepted.filter(({ what }) => what === 'write').length,
    late,
    violations,
  };
}

/** Runs that a stop has named, and that ended otherwise, or went on although their process lived. */
function missed(session: string, lines: readonly JournalLine[]): string[] {
  const lastOf = new Map(lines.map(({ pid, at }) => [pid, at]));
  return lines.flatMap(({ at, runIds = [] }) =>
    runIds.flatMap((runId) => {
      const told = `${session}: ${runId} was stopped, and`;
      const end = lines.find((line) => line.what === 'end' && line.runId === runId);
      if (end !== undefined) return end.status === 'aborted' ? [] : [`${told} ended as ${end.status}`];
      const begin = lines.find((line) => line.what === 'begin' && line.runId === runId);
      const lived = begin === undefined ? 0 : (lastOf.get(begin.pid) ?? 0) - at;
      return lived > ARRIVED_MS ? [`${told} went on for ${Math.round(lived)} ms`] : [];
    }),
  );
}

/** A stop has arrived by then, also at a process that stood still for longer than it may. */
const ARRIVED_MS = 6_000;

/** Whether the process of a record stood still between its grant, or what led to it, and the record. */
function stoodStill(line: JournalLine, grant: JournalLine, gaps: readonly JournalLine[]): boolean {
  return gaps.some(({ pid, at, ms = 0 }) => pid === line.pid && at - ms <= line.at && at >= grant.at - ASKED_MS);
}

/** So long, at the most, a grant is on its way from the backend to the one who asked. A record may be told before its gap. */
const ASKED_MS = 2_000;
