import { Linked } from '../internal/linked.js';
import { waitsForAncestorOf } from './ancestors.js';
import type { Candidate } from './candidate.js';
import type { ManagedRun } from './managed-run.js';
import { busyRule } from './when-busy.js';

/**
 * The queue of one session on this node. What enqueues waits behind all that came before it: only the first of a line
 * can have its turn. Children are the exception, since they pass those that wait for their ancestors; but never their own
 * siblings, so that those of one parent are a line again.
 */
export class Lane {
  readonly sessionKey: string;
  length = 0;
  /** What does not enqueue waits for no turn, and stands in front. */
  readonly #front: Line = new Line(undefined);
  readonly #line: Line = new Line(undefined);
  #families: Map<ManagedRun, Line> | undefined = undefined;
  /** Those that had their turn: one that began earlier may have come late, and stand before them. */
  readonly #served: Set<Candidate> = new Set();

  constructor(sessionKey: string) {
    this.sessionKey = sessionKey;
  }

  /** In the order of the begins, whenever the backend's answer came. */
  add(candidate: Candidate): void {
    if (candidate.line !== undefined) return;
    const line = this.#lineOf(candidate.run);
    line.insert(candidate);
    candidate.line = line;
    this.length += 1;
  }

  remove(candidate: Candidate): void {
    const { line } = candidate;
    if (line === undefined) return;
    line.remove(candidate);
    candidate.line = undefined;
    this.length -= 1;
    this.#served.delete(candidate);
    if (line.parent !== undefined && line.first === undefined) this.#dropFamily(line.parent);
  }

  /** It is its turn. */
  serve(candidate: Candidate): void {
    if (candidate.line !== this.#front) this.#served.add(candidate);
  }

  /** Those whose turn it may be, or was. A copy: one that starts may end others. */
  turns(): readonly Candidate[] {
    const { first } = this.#line;
    const isPlain = this.#front.first === undefined && this.#families === undefined;
    const others = first !== undefined && this.#served.has(first) ? this.#served.size - 1 : this.#served.size;
    if (isPlain && others === 0) return first === undefined ? [] : [first];
    const turns = new Set(this.#served);
    if (first !== undefined) turns.add(first);
    for (const family of this.#families?.values() ?? NO_LINES) if (family.first !== undefined) turns.add(family.first);
    return [...this.#front.all(), ...[...turns].sort(byBegin)];
  }

  /** Whether another stands before one that enqueues, and does not wait for its ancestors. */
  isBehind({ run }: Candidate): boolean {
    for (let other = this.#front.first; other !== undefined; other = other.next) {
      if (!waitsForAncestorOf(other.run, run)) return true;
    }
    if (isInTheWay(this.#line, run)) return true;
    for (const family of this.#families?.values() ?? NO_LINES) if (isInTheWay(family, run)) return true;
    return false;
  }

  /** How many stand before it. Counted from the end, where one that has come just now stands. */
  position(candidate: Candidate): number {
    if (candidate.line === undefined) return 0;
    if (candidate.line === this.#front) return this.#front.size - 1 - behind(this.#front, candidate);
    let position = this.length - 1 - behind(this.#line, candidate);
    for (const family of this.#families?.values() ?? NO_LINES) position -= behind(family, candidate);
    return position;
  }

  /** In the order of their turns. */
  all(): readonly Candidate[] {
    const families = [...(this.#families?.values() ?? NO_LINES)];
    const line = this.#line.all();
    const enqueued =
      families.length === 0 ? line : [line, ...families.map((family) => family.all())].flat().sort(byBegin);
    return this.#front.first === undefined ? enqueued : [...this.#front.all(), ...enqueued];
  }

  #lineOf({ spec, parent }: ManagedRun): Line {
    if (!busyRule(spec).waitsItsTurn) return this.#front;
    if (parent === undefined) return this.#line;
    this.#families ??= new Map();
    let line = this.#families.get(parent);
    if (line === undefined) {
      line = new Line(parent);
      this.#families.set(parent, line);
    }
    return line;
  }

  #dropFamily(parent: ManagedRun): void {
    this.#families?.delete(parent);
    if (this.#families?.size === 0) this.#families = undefined;
  }
}

/** Candidates in the order of their begins. */
export class Line extends Linked<Candidate> {
  readonly parent: ManagedRun | undefined;
  size = 0;

  constructor(parent: ManagedRun | undefined) {
    super();
    this.parent = parent;
  }

  insert(candidate: Candidate): void {
    this.size += 1;
    const { order } = candidate.run;
    const { first, last } = this;
    if (last === undefined || last.run.order < order) {
      this.add(candidate);
      return;
    }
    // One that comes late is the oldest or nearly the youngest: neither is looked for.
    let next = last;
    if (first !== undefined && order < first.run.order) next = first;
    else while (next.previous !== undefined && next.previous.run.order > order) next = next.previous;
    this.addBefore(next, candidate);
  }

  override remove(candidate: Candidate): void {
    this.size -= 1;
    super.remove(candidate);
  }
}

const NO_LINES: readonly Line[] = Object.freeze([]);

/** Those of a line have the same ancestors: what holds for the first of them holds for all. */
function isInTheWay({ first }: Line, run: ManagedRun): boolean {
  return first !== undefined && first.run.order < run.order && !waitsForAncestorOf(first.run, run);
}

function behind({ last }: Line, { run }: Candidate): number {
  let count = 0;
  for (let other = last; other !== undefined && other.run.order > run.order; other = other.previous) count += 1;
  return count;
}

function byBegin(a: Candidate, b: Candidate): number {
  return a.run.order - b.run.order;
}
