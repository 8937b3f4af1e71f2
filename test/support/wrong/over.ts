import { type Answered, type Backend, type Memory, memory, type RecordRequest, type Snapshot } from 'runfence/backend';

/** What a wrong backend does instead. */
export type Overrides = Partial<Omit<Backend, 'scope' | 'synchronous'>>;

/** The backend that is right. It answers at once. */
export type Right = {
  readonly [Name in keyof Memory]-?: NonNullable<Memory[Name]> extends (...args: infer Args) => infer Answer
    ? (...args: Args) => Awaited<Answer>
    : Memory[Name];
};

/** A backend, and how the lease of a node of it is ended. */
export interface Made {
  readonly backend: Backend;
  endLease(nodeId: string): void;
}

/** A backend in memory that does one thing wrong, and the scenario that must notice it, by its short name. */
export interface WrongBackend {
  readonly wrong: string;
  readonly noticed: string;
  make(): Made;
}

/** The backend that is right, but for what `change` does instead. */
export function over(
  change: (right: Right, asleep: Set<string>) => Overrides,
  options = { hasLeases: true },
): () => Made {
  return () => {
    const asleep = new Set<string>();
    const right = memory(options.hasLeases ? { lapsed: (nodeId) => asleep.has(nodeId) } : {});
    const changes = change(right as Right, asleep);
    const backend = new Proxy<Backend>(right, {
      get: (_, name) => {
        const own = changes[name as keyof Overrides];
        if (own !== undefined) return own;
        const value = right[name as keyof Backend];
        return typeof value === 'function' ? value.bind(right) : value;
      },
    });
    return { backend, endLease: (nodeId) => void asleep.add(nodeId) };
  };
}

type Change = <Answer extends Answered>(answer: Answer, request: RecordRequest) => Answer;

/** Says something else of the record in every answer, and whenever it is read. */
export function saying(right: Right, change: Change): Overrides {
  return {
    claim: (request) => change(right.claim(request), request),
    stop: (request) => change(right.stop(request), request),
    end: (request) => change(right.end(request), request),
    announce: (request) => change(right.announce(request), request),
    lock: (request) => change(right.lock(request), request),
    unlock: (request) => change(right.unlock(request), request),
    readSession: (request) => {
      const snapshot = right.readSession(request);
      const said = change({ version: snapshot.version, snapshot }, { ...request, seen: 0 });
      return said.snapshot ?? snapshot;
    },
  };
}

/** As `saying`, of the record alone. */
export function recording(right: Right, change: (snapshot: Snapshot) => Snapshot): Overrides {
  return saying(right, (answer) => {
    const snapshot = answer.snapshot && change(answer.snapshot);
    return { ...answer, snapshot, version: snapshot?.version ?? answer.version };
  });
}

export function isA<Answer extends { readonly kind: string }, Kind extends Answer['kind']>(
  answer: Answer,
  kind: Kind,
): answer is OfKind<Answer, Kind> & Answer {
  return answer.kind === kind;
}

type OfKind<Answer, Kind> = Answer extends { readonly kind: infer Kinds }
  ? Kind extends Kinds
    ? Answer
    : never
  : never;
