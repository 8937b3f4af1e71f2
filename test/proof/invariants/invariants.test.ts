import type { AbortReason, Backend, RunView } from 'runfence';
import { type ClaimGranted, type ClaimRequest, type EndRequest, memory, type Snapshot } from 'runfence/backend';
import { FakeClock, flush } from 'runfence/testing';
import { describe, expect, it } from 'vitest';
import { tracked, upstream } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';
import { Invariants } from '../invariants.js';
import { recordBackend } from './backend.js';
import { noLateEffect } from './cut.js';
import { announcedEpilogues } from './epilogues.js';
import { type Activity, type Happening, History, type Violation } from './history.js';
import { freeAtCut, noOverlap, oneHolder } from './lock.js';
import { noReuse } from './numbers.js';
import { stopsReach, stopsSpare } from './reach.js';
import { oneStory } from './story.js';
import { oneOutcome, oneTakeover } from './winner.js';

const BOUNDS = { writeGraceMs: 5_000, epilogueMs: 1_000, backendMs: 0 };
const END = 60_000;

function view(runId: string, status: RunView['status'], generation = 1): RunView {
  const about = {
    kind: 'chat',
    owner: undefined,
    tags: [],
    data: undefined,
    reason: undefined,
    saved: undefined,
    startedAt: 0,
    parentId: undefined,
  };
  return { runId, sessionKey: 's', generation, status, detail: undefined, nodeId: 'n', ...about };
}

const started = (runId: string, generation = 1): Happening => ({
  type: 'run:started',
  run: view(runId, 'running', generation),
});
const ended = (runId: string, status: RunView['status'] = 'completed'): Happening => ({
  type: 'run:ended',
  run: view(runId, status),
});
const aborted = (runId: string, supersededBy?: string, generation = 1): Happening => ({
  type: 'run:aborted',
  run: view(runId, 'stopping', generation),
  reason: supersededBy === undefined ? 'user' : 'superseded',
  requester: undefined,
  supersededBy,
});
const superseded = (runId: string): Happening => ({
  type: 'run:aborted',
  run: view(runId, 'stopping'),
  reason: 'superseded',
  requester: undefined,
  supersededBy: undefined,
});
const freedInBackend = (token: number): Happening => ({ type: 'freed', sessionKey: 's', token });
const effect = (runId: string): Happening => ({ type: 'effect', nodeId: 'n', runId, name: 'send' });
const lock = (type: 'lock:granted' | 'lock:released' | 'lock:lost', token: number, runId = 'a'): Happening => ({
  type,
  nodeId: 'n',
  sessionKey: 's',
  token,
  runId,
});
const doing = (type: 'begun' | 'over', what: Activity, token?: number, runId = 'a'): Happening => ({
  type,
  what,
  nodeId: 'n',
  runId,
  sessionKey: 's',
  token,
});
const stopped = (runId: string, reason: AbortReason, requester?: { userId: string }): Happening => ({
  type: 'run:aborted',
  run: { ...view(runId, 'stopping'), reason },
  reason,
  requester,
  supersededBy: undefined,
});
const endedFor = (runId: string, reason: AbortReason): Happening => ({
  type: 'run:ended',
  run: { ...view(runId, 'aborted'), reason },
});
const recorded = (runId: string, outcome: string): Happening => ({
  type: 'recorded',
  nodeId: 'n',
  runId,
  generation: 1,
  outcome,
});
const heard = (runId: string, outcome: string, nodeId = 'other'): Happening => ({
  type: 'told',
  nodeId,
  runId,
  outcome,
  from: 'wait',
});
const asked = (runId: string): Happening => ({ type: 'asked', nodeId: 'n', runId });
const unavailable = (runId: string): Happening => ({
  type: 'error',
  nodeId: 'n',
  code: 'BACKEND_UNAVAILABLE',
  sessionKey: 's',
  runId,
});
const acknowledged = (elsewhere: readonly string[], requester?: { userId: string }): Happening => ({
  type: 'acknowledged',
  requester,
  intent: false,
  isListed: false,
  recorded: 'cluster',
  elsewhere,
});
const EVE = { userId: 'eve' };
const reach: Check = (history) => stopsReach(history, [view('a', 'running')]);

const drawn = (number: number, sessionKey = 's'): Happening => ({
  type: 'drawn',
  sessionKey,
  number,
  runId: undefined,
});

type Check = (history: History) => Violation[];
const takeover: Check = (history) => oneTakeover(history);
const freed: Check = (history) => freeAtCut(history, BOUNDS, END);
const overlap: Check = (history) => noOverlap(history, BOUNDS);
/** A step of time, in ms. */
type Told = Happening | number;

function told(steps: readonly Told[]): History {
  let time = 0;
  const history = new History(() => time);
  for (const step of steps) {
    if (typeof step === 'number') time += step;
    else history.add(step);
  }
  return history;
}

const WRONG: readonly [string, number, Check, readonly Told[]][] = [
  ['an effect after the event of the cut', 1, noLateEffect, [started('a'), aborted('a'), effect('a')]],
  [
    'an effect after the signal',
    1,
    noLateEffect,
    [started('a'), { type: 'signal', nodeId: 'n', runId: 'a' }, effect('a')],
  ],
  [
    'an effect after the call',
    1,
    noLateEffect,
    [started('a'), { type: 'stop', nodeId: 'n', runIds: ['a'] }, effect('a')],
  ],
  ['a tool after a normal end', 1, noLateEffect, [started('a'), ended('a'), doing('begun', 'tool')]],
  ['a section after the cut', 1, noLateEffect, [started('a'), aborted('a'), doing('begun', 'section', 3)]],
  ['work that is called after the cut', 1, noLateEffect, [aborted('a'), doing('begun', 'work')]],
  ['two ends', 2, oneOutcome, [started('a'), ended('a'), ended('a')]],
  ['a cut without an end', 2, oneOutcome, [started('a'), aborted('a')]],
  [
    'two outcomes',
    2,
    oneOutcome,
    [started('a'), ended('a'), { type: 'outcome', nodeId: 'n', runId: 'a', status: 'aborted', from: 'wait' }],
  ],
  ['a successor that never starts', 2, takeover, [started('a'), aborted('a', 'b')]],
  ['a run that was superseded by nobody', 2, takeover, [started('a'), superseded('a')]],
  ['a successor that is older', 2, takeover, [started('a', 2), started('b', 1), aborted('a', 'b', 2)]],
  ['a number twice', 3, noReuse, [drawn(1), drawn(1)]],
  ['a number that goes back', 3, noReuse, [drawn(2), drawn(1)]],
  ['a number that is not safe', 3, noReuse, [drawn(2 ** 53)]],
  ['a generation of two runs', 3, noReuse, [started('a'), started('b')]],
  ['a grant that goes back', 3, noReuse, [lock('lock:granted', 3), lock('lock:released', 3), lock('lock:granted', 2)]],
  ['a write that goes back', 3, noReuse, [doing('begun', 'section', 3), doing('begun', 'section', 2)]],
  ['a release twice', 4, oneHolder, [lock('lock:granted', 1), lock('lock:released', 1), lock('lock:released', 1)]],
  ['a release of what is not held', 4, oneHolder, [lock('lock:granted', 1), lock('lock:released', 2)]],
  ['two holders', 7, oneHolder, [lock('lock:granted', 1), lock('lock:granted', 2)]],
  ['a grant that is free already', 7, oneHolder, [freedInBackend(1), lock('lock:granted', 1)]],
  ['a lock that stays', 7, freed, [lock('lock:granted', 1), aborted('a')]],
  ['a lock that lags', 7, freed, [lock('lock:granted', 1), aborted('a'), 1, lock('lock:released', 1)]],
  [
    'a lock that outlives its section',
    7,
    freed,
    [
      lock('lock:granted', 1),
      doing('begun', 'section', 1),
      aborted('a'),
      10,
      doing('over', 'section', 1),
      10,
      lock('lock:released', 1),
    ],
  ],
  [
    'a section past its grace',
    7,
    freed,
    [lock('lock:granted', 1), doing('begun', 'section', 1), aborted('a'), 5_001, lock('lock:released', 1)],
  ],
  [
    'an epilogue past its bound',
    7,
    freed,
    [aborted('a'), lock('lock:granted', 1), doing('begun', 'epilogue', 1), 1_001, lock('lock:released', 1)],
  ],
  ['an outcome that the record does not know', 2, oneStory, [recorded('a', 'completed'), endedFor('a', 'user')]],
  ['another reason than that of the record', 2, oneStory, [recorded('a', 'aborted policy'), endedFor('a', 'user')]],
  [
    'a doubt about another run',
    2,
    oneStory,
    [unavailable('b'), recorded('a', 'aborted policy'), endedFor('a', 'user')],
  ],
  ['a waiter that hears something else', 2, oneStory, [recorded('a', 'completed'), heard('a', 'aborted user')]],
  ['a receipt for a run that has completed', 2, oneStory, [acknowledged(['a']), recorded('a', 'completed')]],
  ['a receipt before its run was stopped', 2, oneStory, [acknowledged(['a']), recorded('a', 'aborted policy')]],
  [
    'a run that was stopped by a call, and has completed',
    2,
    oneStory,
    [{ type: 'stop', nodeId: 'n', runIds: ['a'] }, ended('a')],
  ],
  ['a stop that cuts a later run', 4, stopsSpare, [acknowledged([], EVE), asked('a'), stopped('a', 'user', EVE)]],
  [
    'a stop that marks a later run',
    4,
    stopsSpare,
    [
      { type: 'answered', nodeId: 'other', attempt: 1 },
      asked('a'),
      { type: 'marked', nodeId: 'n', runId: 'a', by: 'other 1' },
    ],
  ],
  ['a stop of all nodes that misses a run', 4, reach, [{ type: 'listed', number: 1, aimedAt: ['1 n a'] }]],
  [
    'an epilogue that is forgotten',
    8,
    announcedEpilogues,
    [started('a'), { type: 'announced', nodeId: 'n', runId: 'a' }, stopped('a', 'user')],
  ],
  ['two writes', 7, overlap, [doing('begun', 'section', 1), doing('begun', 'epilogue', 2, 'b')]],
];

const RIGHT: readonly [string, Check, readonly Told[]][] = [
  ['an effect before the cut', noLateEffect, [started('a'), effect('a'), aborted('a')]],
  [
    'an effect of the same id on another node',
    noLateEffect,
    [started('a'), { type: 'signal', nodeId: 'other', runId: 'a' }, effect('a')],
  ],
  ['an epilogue after the cut', noLateEffect, [started('a'), aborted('a'), doing('begun', 'epilogue', 2)]],
  ['one end', oneOutcome, [started('a'), aborted('a'), ended('a', 'stopping')]],
  ['a takeover', takeover, [started('a', 1), aborted('a', 'b'), started('b', 2)]],
  ['a takeover that was refused', takeover, [started('a'), aborted('a', 'b'), { type: 'refused', runId: 'b' }]],
  [
    'a takeover by another node, read back',
    takeover,
    [
      started('a'),
      { type: 'replaced', runId: 'a', generation: 1, nodeId: 'n', by: 'b' },
      superseded('a'),
      started('b', 2),
    ],
  ],
  [
    'a grant before the answer to the release of the one before',
    oneHolder,
    [lock('lock:granted', 1), freedInBackend(1), lock('lock:granted', 2), lock('lock:released', 1)],
  ],
  ['numbers of two sessions', noReuse, [drawn(2), drawn(1, 'other')]],
  ['a lock that is free at the cut', freed, [lock('lock:granted', 1), aborted('a'), lock('lock:released', 1)]],
  [
    'a lock that is free when its section ends',
    freed,
    [
      lock('lock:granted', 1),
      doing('begun', 'section', 1),
      aborted('a'),
      10,
      doing('over', 'section', 1),
      lock('lock:released', 1),
    ],
  ],
  [
    'a section that is revoked',
    freed,
    [lock('lock:granted', 1), doing('begun', 'section', 1), aborted('a'), 5_000, lock('lock:released', 1)],
  ],
  [
    'one outcome for all',
    oneStory,
    [recorded('a', 'aborted user'), acknowledged(['a']), endedFor('a', 'user'), heard('a', 'aborted user')],
  ],
  [
    'another outcome than that of a record that did not answer',
    oneStory,
    [unavailable('a'), recorded('a', 'aborted policy'), ended('a'), heard('a', 'aborted policy')],
  ],
  ['a stop that cuts an earlier run', stopsSpare, [asked('a'), acknowledged([], EVE), stopped('a', 'user', EVE)]],
  ['a stop of all nodes that came before a run', reach, [{ type: 'listed', number: 1, aimedAt: ['1 n b'] }]],
  [
    'an epilogue that was named',
    announcedEpilogues,
    [
      { type: 'announced', nodeId: 'n', runId: 'a' },
      stopped('a', 'user'),
      { type: 'error', nodeId: 'n', code: 'NOT_SAVED', sessionKey: 's', runId: 'a' },
    ],
  ],
  [
    'a write beside a revoked one',
    overlap,
    [doing('begun', 'section', 1), 5_000, lock('lock:lost', 1), doing('begun', 'section', 2, 'b')],
  ],
];

describe('the checks of the invariants', () => {
  it.each(WRONG)('finds %s (invariant %i)', (_what, invariant, check, steps) => {
    expect(check(told(steps)).map((violation) => violation.invariant)).toContain(invariant);
  });

  it.each(RIGHT)('lets pass %s', (_what, check, steps) => {
    expect(check(told(steps))).toEqual([]);
  });
});

/** A control that is watched, over a state that the test may spoil. */
function watched(spoil: (state: Backend) => object = () => ({})) {
  const state = memory();
  const clock = new FakeClock();
  const watch = new Invariants(clock);
  const backend = watch.record(state);
  const node = tracked({ backend: { ...backend, ...spoil(backend) } }, clock);
  watch.node(node.control);
  return { watch, state, ...node };
}

const numbers = (violations: readonly Violation[]): number[] => violations.map(({ invariant }) => invariant);

describe('the watcher', () => {
  it('finds nothing wrong with a run that is stopped', async () => {
    const { watch, control, clock } = watched();
    const release = gate();
    const outcome = control.run({ sessionKey: 's', runId: 'a' }, async (run) => {
      watch.run(run);
      watch.attempt(run.fence(() => watch.effect(run, 'send')));
      await watch.during('work', run, undefined, () => release.promise);
    });
    const receipt = await watch.stop(control, { runId: 'a' });
    watch.checkReport(await receipt.whenQuiet({ timeoutMs: 0 }));
    release.open();
    watch.outcome(control, 'a', (await outcome).status, 'run');
    await flush();
    watch.checkReport(await receipt.whenQuiet());
    expect([...watch.check(), ...watch.checkSettled()]).toEqual([]);
    await clock.advance(400_000);
    expect(watch.checkNothingLeft()).toEqual([]);
    await watch.close();
  });

  it('finds an effect that is not fenced (1)', async () => {
    const { watch, control } = watched();
    void control.start({ sessionKey: 's', runId: 'a' }, (run) => watch.attempt(() => watch.effect(run, 'unfenced')));
    void control.start({ sessionKey: 's', runId: 'b' }, () => {});
    await watch.stop(control, 'all');
    expect(numbers(watch.check())).toContain(1);
  });

  it('finds a run that is let in beside another (2)', () => {
    const history = new History();
    const state = memory();
    const { backend } = recordBackend({ ...asIs(state), claim: grantAll(state) }, history);
    for (const runId of ['a', 'b']) backend.claim(claim(runId));
    expect(numbers(history.seenWrong)).toEqual([2]);
  });

  it('finds an end that frees the lock of another, and a release of a stale token (4)', () => {
    const history = new History();
    const state = memory();
    const free = (): void => {
      const { holder } = state.readSession({ ...ASKED, watch: false }) as Snapshot;
      if (holder !== undefined) void state.unlock({ ...ASKED, token: holder.token });
    };
    const end: Backend['end'] = (request) => {
      free();
      return state.end(request);
    };
    const unlock: Backend['unlock'] = (request) => {
      free();
      return state.unlock(request);
    };
    const { backend } = recordBackend({ ...asIs(state), end, unlock }, history);
    const { generation } = backend.claim(claim('a')) as ClaimGranted;
    const lockAgain = () =>
      backend.lock({ ...ASKED, run: undefined, attempt: attempts++, reserved: undefined, since: 0 });
    lockAgain();
    const ended = { status: 'completed', reason: undefined, report: undefined, retain: false } as const;
    void backend.end({ ...ASKED, ...ended, runId: 'a', generation });
    lockAgain();
    void backend.unlock({ ...ASKED, token: 1 });
    expect(numbers(history.seenWrong)).toEqual([4, 4]);
  });

  it('finds a backend that knows of a run that nobody shows (4)', async () => {
    const { watch, control } = watched((state) => ({ end: (request: EndRequest) => endOf(state, request) }));
    await control.run({ sessionKey: 's' }, () => {});
    expect(numbers(watch.checkSettled())).toContain(4);
  });

  it('finds a stranger that stops, and one that is told more than nothing (5)', async () => {
    const { watch, control } = watched();
    const stranger = { userId: 'eve' };
    void control.start({ sessionKey: 's', runId: 'b', owner: stranger }, untilCut);
    await watch.stranger(stranger, (about) =>
      control.runs.get(about === 'present' ? 'b' : 'c', { requester: stranger }),
    );
    await watch.stranger(stranger, async (about) => {
      await control.abort({ runId: about === 'present' ? 'b' : 'c' }, { requester: stranger });
    });
    expect(new Set(numbers(watch.check()))).toEqual(new Set([5]));
    expect(numbers(watch.check())).toHaveLength(3);
  });

  it('finds projections that lag behind their event (6)', async () => {
    const { control, clock } = tracked();
    const watch = new Invariants(clock);
    const { runs } = control;
    const lagging = { ...control, runs: Object.assign(Object.create(runs), { get: () => undefined }) };
    lagging.runs.list = () => [];
    lagging.runs.session = (key: string) => ({ ...runs.session(key), activeRunIds: ['ghost'] });
    lagging.runs.isActive = () => false;
    watch.node(lagging);
    await control.run({ sessionKey: 's' }, () => {});
    expect(new Set(numbers(watch.check()))).toEqual(new Set([6]));
  });

  it('finds a receipt that hides what is there, a listener and a record that are left (8)', async () => {
    const { watch, control } = watched();
    const { signal } = upstream();
    watch.signal(signal);
    const release = gate();
    void control.start({ sessionKey: 's', runId: 'a', signal }, (run) =>
      watch.during('work', run, undefined, () => release.promise),
    );
    const { nodeId } = control.runs.get('a') as RunView;
    const hidden = {
      runId: 'a',
      nodeId,
      state: 'quiet',
      interrupted: true,
      leftovers: [],
      unknown: [],
      fencedEffects: 0,
      elapsedMs: 0,
    } as const;
    watch.checkReport({ quiet: true, elapsedMs: 0, runs: [{ ...hidden, lock: 'none', epilogue: 'done' }] });
    expect(numbers(watch.check())).toEqual([8, 8]);
    const left = watch.checkNothingLeft().map(({ text }) => text);
    expect(left.join()).toMatch(/the run a in the backend.*entries.*the run a, running.*1 listeners/);
    release.open();
    await flush();
  });
});

/** A spoiled method is given beside them. */
function asIs(state: Backend): Backend {
  const { scope, synchronous } = state;
  const bound = Object.fromEntries(METHODS.map((name) => [name, (state[name] as () => unknown).bind(state)]));
  return { scope, synchronous, ...bound } as unknown as Backend;
}

const METHODS = [
  ...(['claim', 'stop', 'stopEverywhere', 'end', 'announce', 'lock', 'unlock', 'check', 'readSession'] as const),
  ...(['readRun', 'readNode', 'readActive', 'readStops', 'forget', 'subscribe', 'close'] as const),
];

function grantAll(state: Backend): Backend['claim'] {
  return (request) => state.claim({ ...request, mode: 'concurrent' });
}

const ASKED = { sessionKey: 's', nodeId: 'n', seen: 0 };

function claim(runId: string): ClaimRequest {
  const about = { kind: 'chat', owner: undefined, tags: [], fingerprint: undefined, graceMs: 0, hasEpilogue: false };
  const stops = { repeats: undefined, since: undefined, listSince: undefined, judged: 0 };
  const attempt = attempts++;
  const terms = { mode: 'exclusive', whenQuiet: false, replaces: [], beside: [] } as const;
  return { ...ASKED, ...about, ...stops, ...terms, runId, isOwnId: false, attempt };
}

let attempts = 1;

/** Says that it has ended it, and has not. */
function endOf(state: Backend, { sessionKey, runId, status }: EndRequest): unknown {
  const snapshot = state.readSession({ sessionKey, nodeId: 'n', watch: false }) as Snapshot;
  const run = snapshot.runs.find((one) => one.runId === runId);
  return { kind: 'ended', version: snapshot.version, snapshot: undefined, run: run && { ...run, status } };
}
