import fc from 'fast-check';
import { begin, beginChild, type Form } from '../begin.js';
import type { Spec } from '../reference/run.js';
import type { Action } from '../sequence.js';
import { GRACE_MS } from '../world.js';
import { action, kind, NEVER, owner, ownId, pick, session, startWhen, whenBusy } from './params.js';

const common = {
  kind,
  tags: fc.constantFrom<readonly string[]>([], ['red'], ['red', 'blue']),
  startWhen,
  timeoutMs: fc.constantFrom(NEVER, NEVER, 5_000, 20_011),
  queueTimeoutMs: fc.constantFrom(NEVER, NEVER, 3_500, 12_007),
  graceMs: fc.constantFrom(GRACE_MS, 9_001),
  // Mostly an id of its own.
  id: fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: ownId }),
  fingerprint: fc.constantFrom(undefined, undefined, 'f1', 'f2'),
  signal: fc.oneof(
    { weight: 9, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom('u1', 'u2', 'u3') },
  ),
};

const begins = (['handle', 'run', 'start'] as const).map((form: Form) =>
  action(
    `begin ${form}`,
    form === 'handle' ? 6 : 3,
    fc.record({ ...common, session, owner, whenBusy }),
    (sequence, { id, ...given }) => {
      begin(sequence, { ...given, id: id ?? sequence.model.label('r') }, form);
      return true;
    },
  ),
);

const child = action(
  'child',
  5,
  fc.record({
    ...common,
    kind: fc.option(kind, { nil: undefined, freq: 1 }),
    parent: pick,
    session: fc.option(session, { nil: undefined, freq: 1 }),
    whenBusy: fc.constantFrom<Spec['whenBusy']>('concurrent', 'concurrent', 'enqueue', 'interrupt', 'reject'),
    isDetached: fc.constantFrom(false, false, true),
  }),
  (sequence, { parent: which, isDetached, id, ...given }) => {
    const { model } = sequence;
    const parent = sequence.run(which);
    if (parent === undefined) return false;
    const spec: Spec = {
      ...given,
      id: id ?? model.label('r'),
      session: given.session ?? parent.session,
      kind: given.kind ?? parent.spec.kind,
      owner: parent.spec.owner,
    };
    beginChild(sequence, parent, spec, isDetached);
    return true;
  },
);

export const BEGINS: readonly Action<never>[] = [...begins, child];
