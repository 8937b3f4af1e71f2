import { readFileSync } from 'node:fs';
import type { Ended, WriteLine } from './orders.js';

/** What must not happen, a row each. */
export const FAULTS = {
  missed: 'stops and takeovers that did not arrive in time',
  twoCurrent: 'sessions with two current runs',
  hitLater: 'runs that were hit by a stop from before their begin',
  receipts: 'receipts that disagree with the outcome',
  outcomes: 'outcomes that differ between the owner and `wait`',
  epiloguesLost: 'epilogues that neither saved nor are named',
  epiloguesLate: 'epilogues after the first commit of the successor',
  tokens: 'writes out of the order of their tokens',
  stuck: 'orders that were not answered, or refused for no reason',
} as const;

export type Fault = keyof typeof FAULTS;

/** What is counted besides, so that an idle storm does not pass. */
export type Count =
  | 'stops'
  | 'takeovers'
  | 'deaths'
  | 'hit'
  | 'completed first'
  | 'began later'
  | 'saved'
  | 'skipped'
  | 'timed-out'
  | 'failed'
  | 'died unsaved'
  | 'heartbeat-lost'
  | 'unreachable'
  | 'unconfirmed'
  | 'void'
  | 'sends';

/** A run with an epilogue that was aborted, and what its report said of it. */
export interface Epilogue {
  readonly session: string;
  readonly runId: string;
  /** `lost`: its process died, and that is said of the run. */
  readonly said: string | undefined;
  /** Those that came after it: its epilogue is before all their commits. */
  readonly successors: readonly string[];
}

/** Writes down what the rounds have seen, and judges it. */
export class Witness {
  readonly faults = new Map<Fault, string[]>(Object.keys(FAULTS).map((fault) => [fault as Fault, []]));
  readonly counts = new Map<Count, number>();
  /** From the acknowledgement to the signal, in ms. */
  readonly latencies: number[] = [];
  /** What the processes told of errors without a caller, and how often. */
  readonly errors = new Map<string, number>();
  readonly #epilogues: Epilogue[] = [];

  fault(fault: Fault, text: string): void {
    this.faults.get(fault)?.push(text);
  }

  count(what: Count, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  heard(error: string): void {
    this.errors.set(error, (this.errors.get(error) ?? 0) + 1);
  }

  get total(): number {
    return [...this.faults.values()].reduce((sum, texts) => sum + texts.length, 0);
  }

  agree(runId: string, said: Readonly<Record<string, Ended | undefined>>): void {
    const texts = Object.entries(said).map(([who, ended]) => `${who}: ${show(ended)}`);
    if (new Set(Object.values(said).map(show)).size > 1) this.fault('outcomes', `${runId} ${texts.join(', ')}`);
  }

  epilogue(epilogue: Epilogue): void {
    this.#epilogues.push(epilogue);
  }

  /**
   * Reads the file that all processes have appended to.
   *
   * @param stoodStill - a process that stood still, or was killed, may write late: its token says so to the reader
   */
  read(journal: string, stoodStill: (line: WriteLine) => boolean): void {
    const lines = linesOf(journal);
    const places = new Map<string, number>();
    const firstCommits = new Map<string, number>();
    const highest = new Map<string, WriteLine>();
    for (const [place, line] of lines.entries()) {
      const { session, runId, token, what } = line;
      const before = highest.get(session);
      if (before !== undefined && before.token >= token) {
        if (!stoodStill(line)) this.fault('tokens', `${runId} wrote ${token} after ${before.token} of ${before.runId}`);
        continue;
      }
      highest.set(session, line);
      if (what === 'epilogue') places.set(runId, place);
      else if (!firstCommits.has(runId)) firstCommits.set(runId, place);
    }
    for (const epilogue of this.#epilogues) this.#judge(epilogue, places.get(epilogue.runId), firstCommits);
  }

  #judge({ runId, said, successors }: Epilogue, place: number | undefined, commits: ReadonlyMap<string, number>): void {
    if (place !== undefined) {
      this.count('saved');
      const late = successors.find((successor) => (commits.get(successor) ?? Number.POSITIVE_INFINITY) < place);
      if (late !== undefined) this.fault('epiloguesLate', `${runId} saved after a commit of ${late}`);
    } else if (said === 'skipped' || said === 'timed-out' || said === 'failed') this.count(said);
    else if (said === 'lost') this.count('died unsaved');
    else this.fault('epiloguesLost', `${runId} is said to be ${said}`);
  }
}

function linesOf(journal: string): WriteLine[] {
  return readFileSync(journal, 'utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as WriteLine]));
}

function show(ended: Ended | undefined): string {
  return ended === undefined ? 'nothing' : `${ended.status}${ended.reason === undefined ? '' : ` (${ended.reason})`}`;
}
