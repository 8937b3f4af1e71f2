import fc from 'fast-check';
import type { AbortOptions, Selector } from 'runfence';
import { IDS } from '../reference/authority.js';
import type { AbortRequest, Selector as ModelSelector } from '../reference.js';
import { type Action, at, type Sequence } from '../sequence.js';
import { by, receipt } from '../world.js';
import { action, ownId, pick, requester, session } from './params.js';

/** A call to abort, in both. */
export function abort(sequence: Sequence, request: AbortRequest): void {
  const { model, world } = sequence;
  const { session: sessionKey, runId, kind: wantedKind, owner: wantedOwner, tag, generationOf } = request.selector;
  const label = model.label('abort');
  const selector: Selector = {
    ...(runId === undefined ? {} : { runId }),
    ...(sessionKey === undefined ? {} : { sessionKey }),
    ...(wantedKind === undefined ? {} : { kind: wantedKind }),
    ...(wantedOwner === undefined ? {} : { owner: IDS[wantedOwner] }),
    ...(tag === undefined ? {} : { tag }),
    ...(generationOf === undefined ? {} : { generation: world.runs.get(generationOf.label)?.generation as number }),
  };
  const options: AbortOptions = {
    reason: request.reason,
    intent: request.intent,
    ...(request.keepQueued ? { queued: 'keep' } : {}),
    ...by(request.requester),
  };
  const target = Object.keys(selector).length === 0 ? 'all' : selector;
  world.track(label, world.control.abort(target, options), (answer) => {
    world.receipts.set(label, answer);
    return receipt(answer);
  });
  const expected = model.abort(request);
  sequence.totals.saw(`abort:${expected.answer}`);
  model.journal.promise(label);
  model.journal.settle(label, expected.answer);
  sequence.receipts.set(label, expected);
}

const reason = fc.constantFrom<AbortRequest['reason']>('user', 'user', 'policy', 'disconnect');

/** By what some run has: it must match, though the requester may not be allowed to. */
const abortSome = action(
  'abort',
  7,
  fc.record({
    keys: fc.constantFrom<readonly (keyof ModelSelector)[]>(
      ['runId'],
      ['runId', 'generationOf'],
      ['session'],
      ['session', 'kind'],
      ['session', 'tag'],
      ['session', 'generationOf'],
      ['owner'],
      ['owner', 'session'],
      ['kind'],
      ['tag'],
      ['runId', 'session', 'kind', 'owner'],
      ['generationOf'],
    ),
    run: pick,
    other: pick,
    requester,
    reason,
    keepQueued: fc.constantFrom(false, false, false, true),
  }),
  (sequence, { keys, run: which, other, ...given }) => {
    const run = sequence.run(which);
    if (run === undefined) return false;
    // Often another run's generation: a stale target.
    const started = sequence.model.runs.filter(({ isInHand, hasStarted }) => isInHand && hasStarted);
    const generationOf = other % 3 > 0 && run.hasStarted ? run : at(started, other);
    const { id: runId, session: ofSession, spec } = run;
    if (keys.includes('generationOf') && generationOf === undefined) return false;
    if (keys.includes('tag') && spec.tags.length === 0) return false;
    if (keys.includes('owner') && spec.owner === 'host') return false;
    const all: ModelSelector = {
      runId,
      session: ofSession,
      kind: spec.kind,
      owner: spec.owner,
      ...(spec.tags[0] === undefined ? {} : { tag: spec.tags[0] }),
      ...(generationOf === undefined ? {} : { generationOf }),
    };
    const selector = Object.fromEntries(keys.map((key) => [key, all[key]])) as ModelSelector;
    abort(sequence, { ...given, selector, intent: false });
    return true;
  },
);

const abortAll = action('abort all', 1, fc.record({ requester, reason }), (sequence, given) => {
  abort(sequence, { ...given, selector: {}, keepQueued: false, intent: false });
  return true;
});

const intent = action(
  'intent',
  2,
  fc.record({ session: fc.option(session, { nil: undefined }), runId: ownId, requester, reason }),
  (sequence, { session: ofSession, runId, ...given }) => {
    const selector = ofSession === undefined ? { runId } : { session: ofSession, runId };
    abort(sequence, { ...given, selector, keepQueued: false, intent: true });
    return true;
  },
);

export const ABORTS: readonly Action<never>[] = [abortSome, abortAll, intent];
