import { type Backend, memory, type Notices } from 'runfence';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';

const RUN = { sessionKey: 's', runId: 'r' } as const;
const OF_NODE = { ...RUN, nodeId: 'n' } as const;

function claim(backend: Backend): { readonly kind: string; readonly generation: number } {
  const answer = backend.claim({
    ...OF_NODE,
    kind: 'chat',
    owner: undefined,
    tags: [],
    fingerprint: undefined,
    mode: 'concurrent',
    whenQuiet: false,
    replaces: [],
    beside: [],
    stopsSeen: undefined,
    stopsJudged: 0,
  });
  return answer as { kind: string; generation: number };
}

function end(backend: Backend, generation: number): void {
  void backend.end({ ...OF_NODE, generation, status: 'completed', retain: false });
}

function stop(backend: Backend, generation: number): void {
  const runs = [{ runId: 'r', generation, revoke: undefined, epilogue: false }];
  void backend.stop({ sessionKey: 's', nodeId: 'n', reason: 'user', runs, record: undefined });
}

/** A backend that knows the second generation of an id, and both numbers. */
function inSecondGeneration(): { backend: Backend; first: number; second: number } {
  const backend = memory();
  const first = claim(backend).generation;
  end(backend, first);
  return { backend, first, second: claim(backend).generation };
}

describe('the second generation of an id', () => {
  test('is not ended by an end of the first that comes late', () => {
    const { backend, first, second } = inSecondGeneration();
    end(backend, first);
    expect(backend.check({ ...RUN, generation: second })).toBe(true);
    end(backend, second);
    expect(backend.read({ runId: 'r' })).toEqual([]);
  });

  test('is not stopped by a stop of the first that comes late', () => {
    const { backend, first, second } = inSecondGeneration();
    stop(backend, first);
    expect(backend.check({ ...RUN, generation: second })).toBe(true);
    stop(backend, second);
    expect(backend.check({ ...RUN, generation: second })).toBe(false);
  });

  test('is not taken for the first by a check', () => {
    const { backend, first } = inSecondGeneration();
    expect(backend.check({ ...RUN, generation: first })).toBe(false);
  });
});

test.each(['running', 'stopping'] as const)('a %s run is not forgotten: its id stays taken', (status) => {
  const backend = memory();
  const { generation } = claim(backend);
  if (status === 'stopping') stop(backend, generation);
  void backend.forget(RUN);
  expect(backend.read({ runId: 'r' })).toMatchObject([{ generation, status }]);
  expect(claim(backend)).toMatchObject({ kind: 'duplicate' });
});

test('a recorded stop is forgotten by its number, and another number forgets none', () => {
  const backend = memory();
  const record = { selector: { sessionKey: 's', runId: 'r' }, requester: undefined, intent: true };
  void backend.stop({ sessionKey: 's', nodeId: 'n', reason: 'user', runs: [], record });
  const recorded = claim(backend) as unknown as { kind: string; stops: { number: number }[] };
  const number = recorded.stops[0]?.number ?? 0;
  void backend.forget({ sessionKey: 's', stop: number + 1 });
  void backend.forget({ sessionKey: 'elsewhere', stop: number });
  expect(claim(backend)).toMatchObject({ kind: 'stopped' });
  void backend.forget({ sessionKey: 's', stop: number });
  expect(claim(backend)).toMatchObject({ kind: 'granted' });
});

test('the remover of a node that has subscribed again leaves the new subscription', () => {
  const backend = memory();
  const heard: string[] = [];
  const listener = (name: string): Notices => ({
    stopped: () => {},
    recorded: () => {},
    changed: () => heard.push(name),
    lockLost: () => {},
    gap: () => {},
  });
  const removeOld = backend.subscribe('n', listener('old'));
  const remove = backend.subscribe('n', listener('new'));
  backend.subscribe('other', listener('other'));
  removeOld();
  end(backend, claim(backend).generation);
  // An end is told to the other nodes, an unlock to all.
  void backend.unlock({ sessionKey: 's', token: lockToken(backend) });
  expect(heard).toEqual(['other', 'new', 'other']);
  remove();
});

function lockToken(backend: Backend): number {
  const answer = backend.lock({ sessionKey: 's', nodeId: 'n', run: undefined, reserved: undefined, since: 0 });
  return (answer as { token: number }).token;
}

describe('a notice of another node', () => {
  function noticed(): { control: ReturnType<typeof tracked>['control']; notices: () => Notices } {
    const backend = memory();
    const subscribe = backend.subscribe.bind(backend);
    let given: Notices | undefined;
    backend.subscribe = (nodeId, notices) => {
      given = notices;
      return subscribe(nodeId, notices);
    };
    const { control } = tracked({ backend });
    return { control, notices: () => given as Notices };
  }

  test('of a stop of an earlier generation hits nobody', async () => {
    const { control, notices } = noticed();
    const run = await begin(control, { runId: 'r' });
    const stopOf = (generation: number): void =>
      notices().stopped({ sessionKey: 's', reason: 'user', runs: [{ ...RUN, generation }], supersededBy: undefined });
    stopOf(run.generation - 1);
    expect(run.isCurrent()).toBe(true);
    stopOf(run.generation);
    expect(run).toMatchObject({ status: 'stopping', reason: 'user' });
    run.complete();
  });

  test('hits nothing that the host registered by itself under that id', () => {
    const { control, notices } = noticed();
    const entry = control.aborts.register({ id: 'r', sessionKey: 's' });
    notices().stopped({ sessionKey: 's', reason: 'user', runs: [{ ...RUN, generation: 0 }], supersededBy: undefined });
    if (!entry.registered) throw new Error('taken');
    expect(entry.signal.aborted).toBe(false);
    entry.release();
  });
});
