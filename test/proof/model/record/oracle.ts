import type { Backend, Snapshot } from 'runfence/backend';
import { Choices } from './choices.js';
import { Laws } from './laws.js';
import { ask, type Change, expectChange, expectOther, isChange, isTurn, type Turn, turn } from './operations.js';
import type { Defect } from './parts.js';
import { type Expected, Reference } from './reference.js';
import { NODES, SESSIONS } from './requests.js';
import { same } from './same.js';
import { Sequence } from './sequence.js';
import { type Heard, type Subject, Whole } from './subjects.js';

/** How the reference and the subjects are driven. */
export interface Drive {
  readonly seed: number;
  readonly steps: number;
  readonly defect?: Defect | undefined;
  /** The backend has nodes elsewhere: none is ever alone on it, and what is retained stays when the last one here leaves. */
  readonly isShared?: boolean | undefined;
  /** Called after each operation. */
  readonly after?: (() => void) | undefined;
}

/**
 * Compares a new backend with the reference over one random sequence.
 *
 * @param lapse - ends a node's lease, or lets it run again; without it no lease ends
 * @param isShared - the backend has nodes elsewhere, too
 */
export async function driveOracle(
  backend: Backend,
  seed: number,
  steps: number,
  lapse: (nodeId: string, hasLapsed: boolean) => void = () => {},
  isShared = false,
): Promise<void> {
  await drive([new Whole(backend, lapse, 'any')], { seed, steps, isShared });
}

/** The same sequence for the reference and for all subjects. Throws at the first difference. */
export async function drive(
  subjects: readonly Subject[],
  { seed, steps, defect, after, isShared }: Drive,
): Promise<void> {
  const random = new Choices(seed);
  const reference = new Reference(defect);
  const sequence = new Sequence(random, reference.world);
  if (isShared === true) reference.world.nodes.add('elsewhere');
  const laws = subjects.map(() => new Laws());
  const nodes = random.chance(0.3) ? [] : NODES.slice(0, 1 + random.below(NODES.length));
  for (const nodeId of nodes) take({ kind: 'subscribe', nodeId });
  for (let step = 0; step < steps; step++) {
    const operation = sequence.next();
    const fail = (what: string, expected: unknown, actual: unknown): never => {
      const shown = [operation, { expected }, { actual }].map((part) => JSON.stringify(part, plain)).join('\n');
      throw new Error(`seed ${seed}, step ${step}: ${what}\n${shown}`);
    };
    let touched: readonly string[] = SESSIONS;
    if (isTurn(operation)) take(operation);
    else if (isChange(operation)) {
      const expected = expectChange(reference, operation);
      touched = [operation.request.sessionKey, ...expected.moved];
      for (const [at, subject] of subjects.entries()) {
        const actual = await ask(subject.backend(), operation);
        judge(subject, operation, expected, actual, fail);
        const broken = laws[at]?.answered(operation, actual);
        if (broken !== undefined) fail(broken, undefined, actual);
      }
      sequence.answered(operation, expected.answer, expected.version);
      for (const { heard, tells } of subjects) {
        const told = heard.splice(0);
        if (tells === 'all') judgeNotices(operation, expected, reference, told, fail);
      }
    } else {
      const expected = expectOther(reference, operation);
      for (const [at, subject] of subjects.entries()) {
        const actual = await ask(subject.backend(), operation);
        const broken = laws[at]?.answered(operation, actual);
        if (broken !== undefined) fail(broken, undefined, actual);
        if (!same(inOrder(actual), inOrder(expected))) fail('another answer', expected, actual);
      }
      if (operation.kind === 'stopEverywhere') sequence.answered(operation, expected as object, 0);
    }
    for (const sessionKey of touched) {
      const expected = reference.world.snapshot(reference.world.room(sessionKey));
      for (const [at, subject] of subjects.entries()) {
        if (subject.tells !== 'all' && subject.isReadable !== true) continue;
        const actual = await subject.backend().readSession({ sessionKey, nodeId: 'reader', watch: false });
        if (!same(actual, expected)) fail('another record', expected, actual);
        const broken = laws[at]?.read(actual);
        if (broken !== undefined) fail(broken, expected, actual);
      }
    }
    after?.();
  }

  function take(next: Turn): void {
    turn(reference, next);
    for (const subject of subjects) {
      if (next.kind === 'lapse' || next.kind === 'renew') subject.lapse(next.nodeId, next.kind === 'lapse');
      else subject.listen(next.nodeId, next.kind === 'subscribe');
    }
  }
}

type Fail = (what: string, expected: unknown, actual: unknown) => void;

function judge(subject: Subject, { request }: Change, expected: Expected, actual: unknown, fail: Fail): void {
  const { version, snapshot, ...answer } = actual as { version: number; snapshot: Snapshot | undefined; kind?: string };
  if (!same(answer, expected.answer)) fail('another answer', expected.answer, answer);
  if (version !== expected.version) fail('another version', expected.version, version);
  if (snapshot !== undefined && !same(snapshot, expected.snapshot)) fail('another record', expected.snapshot, snapshot);
  const isAsked = answer.kind === 'busy' && 'now' in answer ? true : answer.kind === 'not-quiet';
  if (snapshot === undefined && (expected.isNews || isAsked))
    fail('the record is left out', expected.snapshot, undefined);
  if (snapshot !== undefined && !expected.mayBeNews && !isAsked && subject.tells === 'all') {
    fail(`the record is told again to a node that has seen ${request.seen}`, undefined, snapshot);
  }
}

/** All other nodes hear of a change, each once; of a session that was not asked about, the asking one, too. */
function judgeNotices(
  { request }: Change,
  { moved }: Expected,
  reference: Reference,
  heard: readonly Heard[],
  fail: Fail,
): void {
  const { world } = reference;
  const expected = moved.flatMap((sessionKey) => {
    const snapshot = world.snapshot(world.room(sessionKey));
    const nodes = [...world.nodes].filter((nodeId) => nodeId !== request.nodeId || sessionKey !== request.sessionKey);
    return nodes.map((nodeId): Heard => ({ nodeId, sessionKey, version: snapshot.version, snapshot }));
  });
  if (!same(inOrder(heard), inOrder(expected))) fail('other notices', expected, heard);
}

/** Records, runs and notices come in any order. */
function inOrder(answer: unknown): unknown {
  if (!Array.isArray(answer)) return answer;
  const keyOf = ({ sessionKey, nodeId, generation }: Partial<Heard & { generation: number }>): string =>
    `${sessionKey} ${nodeId} ${generation}`;
  return [...answer].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

const plain = (_: string, value: unknown): unknown => (typeof value === 'symbol' ? String(value) : value);
