import { FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { BackendClient } from '../../../src/core/backend/client.js';
import { memory } from '../../../src/core/backend/memory.js';
import { SessionLines } from '../../../src/core/backend/session-lines.js';
import { Timers } from '../../../src/core/internal/timers.js';
import { HOSTILE_THENABLES, thenable } from '../../support/hostile.js';
import { type Gate, gate } from '../../support/work.js';

const BOUND_MS = 100;

/** Calls that the test answers, and the order in which they were sent. */
class Calls {
  readonly sent: string[] = [];
  readonly #gates = new Map<string, Gate<string>>();

  call(name: string): () => Promise<string> {
    const answer = gate<string>();
    this.#gates.set(name, answer);
    return () => {
      this.sent.push(name);
      return answer.promise;
    };
  }

  async answer(name: string): Promise<void> {
    this.#gates.get(name)?.open(name);
    await flush();
  }

  async fail(name: string): Promise<void> {
    this.#gates.get(name)?.fail(new Error(name));
    await flush();
  }
}

function make(
  clock: FakeClock = new FakeClock(),
  isSynchronous = false,
): {
  lines: SessionLines;
  calls: Calls;
  clock: FakeClock;
  timers: Timers;
} {
  const timers = new Timers(clock, () => {});
  return { lines: new SessionLines(timers, BOUND_MS, isSynchronous), calls: new Calls(), clock, timers };
}

function unavailable(answer: unknown): Promise<void> {
  return expect(answer).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
}

test('an answer that is no promise is handed through in the call', () => {
  const { lines } = make();
  expect([lines.send('s', () => 1), lines.sendFirst('s', () => 2), lines.ask(() => 3)]).toEqual([1, 2, 3]);
  expect(lines.has('s')).toBe(false);
});

test('calls of one session are sent one at a time, in order, each after the answer to the one before', async () => {
  const { lines, calls } = make();
  const answers = ['a', 'b', 'c'].map((name) => lines.send('s', calls.call(name)));
  expect(calls.sent).toEqual(['a']);
  await calls.answer('b');
  expect(calls.sent).toEqual(['a']);
  await calls.answer('a');
  expect(calls.sent).toEqual(['a', 'b', 'c']);
  expect(lines.has('s')).toBe(true);
  await calls.answer('c');
  expect(await Promise.all(answers)).toEqual(['a', 'b', 'c']);
  expect(lines.has('s')).toBe(false);
});

test.each([
  ['an answer', () => 'outer'],
  ['a promise of it', () => Promise.resolve('outer')],
])('what is sent inside a call that gives %s waits behind it', async (_, answer) => {
  const { lines, calls } = make();
  let inside: unknown;
  let isSent = true;
  const outer = lines.send('s', () => {
    inside = lines.send('s', calls.call('inside'));
    isSent = calls.sent.length > 0;
    return answer();
  });
  expect(isSent).toBe(false);
  expect(await outer).toBe('outer');
  await calls.answer('inside');
  expect([await inside, calls.sent, lines.has('s')]).toEqual(['inside', ['inside'], false]);
});

test('what is sent inside a call that throws is sent all the same', async () => {
  const { lines, calls } = make();
  let inside: unknown;
  const broken = (): never => {
    inside = lines.send('s', calls.call('inside'));
    throw new Error('no connection');
  };
  expect(() => lines.send('s', broken)).toThrow(expect.objectContaining({ code: 'BACKEND_UNAVAILABLE' }));
  await calls.answer('inside');
  expect([await inside, lines.has('s')]).toEqual(['inside', false]);
});

test('where every answer is there in the tick, nothing waits: not even what is sent inside a call', () => {
  const { lines } = make(new FakeClock(), true);
  const order: string[] = [];
  const outer = lines.send('s', () => {
    order.push(lines.send('s', () => 'inside') as string);
    return 'outer';
  });
  expect([order, outer, lines.has('s')]).toEqual([['inside'], 'outer', false]);
});

test('another session, and what is only asked, is not held up', async () => {
  const { lines, calls } = make();
  const names = ['a', 'b', 'c'];
  const answers = [lines.send('s', calls.call('a')), lines.send('t', calls.call('b')), lines.ask(calls.call('c'))];
  expect(calls.sent).toEqual(names);
  for (const name of names) await calls.answer(name);
  expect(await Promise.all(answers)).toEqual(names);
});

test('what goes first goes before everything unsent, in its own order', async () => {
  const { lines, calls } = make();
  const answers = [
    lines.send('s', calls.call('under way')),
    lines.send('s', calls.call('later')),
    lines.sendFirst('s', calls.call('stop 1')),
    lines.sendFirst('s', calls.call('stop 2')),
  ];
  for (const name of ['later', 'stop 2', 'stop 1', 'under way']) await calls.answer(name);
  await Promise.all(answers);
  expect(calls.sent).toEqual(['under way', 'stop 1', 'stop 2', 'later']);
});

test.each(['rejects', 'throws', 'is late'])(
  'one that %s is unavailable, and holds up nobody behind it',
  async (how) => {
    const { lines, calls, clock } = make();
    const first = unavailable(lines.send('s', calls.call('first')));
    const second = lines.send('s', () => {
      if (how === 'throws') throw new Error('no connection');
      return calls.call('second')();
    });
    const third = lines.send('s', calls.call('third'));
    if (how === 'is late') {
      const late = unavailable(second);
      await clock.advance(BOUND_MS);
      await first;
      await clock.advance(BOUND_MS);
      await late;
    } else {
      const failed = unavailable(second);
      await calls.fail('first');
      if (how === 'rejects') await calls.fail('second');
      await Promise.all([first, failed]);
    }
    expect(calls.sent.at(-1)).toBe('third');
    await calls.answer('third');
    expect(await third).toBe('third');
  },
);

test('the bound runs from the sending, and its timer is gone with the answer', async () => {
  const { lines, calls, clock } = make();
  const first = lines.send('s', calls.call('first'));
  const second = lines.send('s', calls.call('second'));
  await clock.advance(BOUND_MS - 1);
  await calls.answer('first');
  await clock.advance(BOUND_MS - 1);
  await calls.answer('second');
  expect([await first, await second, clock.pending]).toEqual(['first', 'second', 0]);
});

test('the bound keeps the process while an answer is awaited', async () => {
  const { lines, calls, clock } = make();
  const answer = lines.ask(calls.call('a'));
  expect(clock.refed).toBe(1);
  await calls.answer('a');
  await answer;
  expect(clock.refed).toBe(0);
});

test('a late rejection is heard by nobody', async () => {
  const { lines, calls, clock } = make();
  const answer = unavailable(lines.send('s', calls.call('a')));
  await clock.advance(BOUND_MS);
  await answer;
  await calls.fail('a');
});

test('a session whose calls are all answered is synchronous again', async () => {
  const { lines, calls } = make();
  const answer = lines.send('s', calls.call('a'));
  await calls.answer('a');
  await answer;
  expect(lines.send('s', () => 'at once')).toBe('at once');
});

test('`sent` waits for what is sent and what waits to be, and for nothing that comes later', async () => {
  const { lines, calls } = make();
  const failed = unavailable(lines.send('s', calls.call('a')));
  const others = [lines.send('s', calls.call('b')), lines.send('t', calls.call('c'))];
  let isSent = false;
  const sent = lines.sent().then(() => {
    isSent = true;
  });
  const late = lines.send('s', calls.call('late'));
  await calls.fail('a');
  await calls.answer('c');
  expect(isSent).toBe(false);
  await calls.answer('b');
  expect(isSent).toBe(true);
  await calls.answer('late');
  await Promise.all([failed, sent, late, ...others]);
});

describe.each(['send', 'sendFirst', 'ask'] as const)('%s', (how) => {
  const via = (lines: SessionLines, call: () => unknown): unknown =>
    how === 'ask' ? lines.ask(call) : lines[how]('s', call);

  /** What it comes to, whether it is thrown or rejected. */
  async function outcome(call: () => unknown): Promise<unknown> {
    try {
      return await call();
    } catch (error) {
      return error;
    }
  }

  test.each(HOSTILE_THENABLES)('%s is unavailable or its value, and leaves no timer', async (_, answer) => {
    const { lines, calls, clock, timers } = make();
    const result = await outcome(() => via(lines, answer));
    if (result !== undefined) expect(result).toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect([timers.size, clock.pending, clock.refed, lines.has('s')]).toEqual([0, 0, 0, false]);
    const before = lines.send('s', calls.call('before'));
    const behind = outcome(() => via(lines, answer));
    const next = lines.send('s', calls.call('next'));
    await calls.answer('before');
    await calls.answer('next');
    expect(await Promise.all([before, next])).toEqual(['before', 'next']);
    if ((await behind) !== undefined) expect(await behind).toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect([timers.size, clock.pending, clock.refed]).toEqual([0, 0, 0]);
  });

  test('the first answer of a thenable that answers twice counts', async () => {
    const { lines, timers } = make();
    const twice = thenable((resolve, reject) => {
      resolve('first');
      reject(new Error('second'));
      resolve('third');
    });
    expect(await via(lines, () => twice)).toBe('first');
    expect(timers.size).toBe(0);
  });

  test('a clock that refuses the bound: unavailable, and what the call rejects with ends no process', async () => {
    const clock = new FakeClock();
    const { lines, calls } = make(clock);
    const set = clock.setTimeout.bind(clock);
    clock.setTimeout = () => {
      clock.setTimeout = set;
      throw new Error('no timer is left');
    };
    expect(await outcome(() => via(lines, calls.call('a')))).toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    await calls.fail('a');
    expect([clock.pending, clock.refed, lines.has('s')]).toEqual([0, 0, false]);
  });
});

describe('the client of a backend', () => {
  function client(backend = new FaultyBackend({ over: memory() })): {
    backend: FaultyBackend;
    client: BackendClient;
    clock: FakeClock;
  } {
    const clock = new FakeClock();
    return { backend, client: new BackendClient(backend, 'node-1', new Timers(clock, () => {}), BOUND_MS), clock };
  }
  const lock = { sessionKey: 's', run: undefined, attempt: 1, reserved: undefined, since: 0, seen: 0 };
  const stop = { sessionKey: 's', reason: 'user', attempt: 2, runs: [], select: undefined, seen: 0 } as const;
  const listed = { record: undefined, number: undefined, named: [] };

  test.each(['lock', 'stop'] as const)('%s installs an answer that comes after its bound', async (method) => {
    const { backend, client: node, clock } = client();
    const installed: unknown[] = [];
    backend.hold(method);
    const answer = unavailable(
      method === 'lock'
        ? node.lock(lock, (verdict) => installed.push(verdict))
        : node.stop({ ...stop, ...listed }, (verdict) => installed.push(verdict)),
    );
    await clock.advance(BOUND_MS);
    await answer;
    expect(installed).toEqual([]);
    backend.release(method);
    await flush();
    expect(installed).toHaveLength(1);
  });

  test('an answer is installed before anything else of its session is sent', async () => {
    const { backend, client: node } = client();
    const seen: (readonly string[])[] = [];
    const answers = [
      node.lock(lock, () => seen.push([...backend.calls])),
      node.lock({ ...lock, attempt: 3 }, () => seen.push([...backend.calls])),
      node.stop({ ...stop, ...listed }, () => seen.push([...backend.calls])),
    ];
    await Promise.all(answers);
    expect(seen).toEqual([['lock'], ['lock', 'stop'], ['lock', 'stop', 'lock']]);
    expect(node.isSending('s')).toBe(false);
  });

  test('a claim is made when its turn comes, and one that is not wanted any more is not sent', async () => {
    const { backend, client: node } = client();
    let isWanted = true;
    const first = node.lock(lock, () => {});
    const claim = node.claim(
      's',
      () => (isWanted ? expect.unreachable() : undefined),
      () => expect.unreachable(),
    );
    isWanted = false;
    await first;
    expect(await claim).toBeUndefined();
    expect(backend.calls).toEqual(['lock']);
  });

  test('reads and checks wait behind nothing', async () => {
    const { backend, client: node } = client();
    backend.hold('lock');
    const held = node.lock(lock, () => {});
    expect(await node.readSession('s', false)).toMatchObject({ sessionKey: 's', runs: [] });
    expect(await node.readRun('r', 's', false)).toBeUndefined();
    expect(await node.check({ sessionKey: 's', run: undefined, token: 1 })).toBe(false);
    backend.release('lock');
    await held;
  });

  test('whoever waits within the bound is told no later, whatever the answer waits behind', async () => {
    const { backend, client: node, clock } = client();
    backend.hold('lock');
    const before = unavailable(node.lock(lock, () => {}));
    const behind = node.lock({ ...lock, attempt: 3 }, ({ kind }) => kind);
    const within = node.within(behind, 'late');
    await clock.advance(BOUND_MS);
    expect(await within).toBe('late');
    backend.release('lock');
    await before;
    // What was given up was granted all the same.
    expect(await behind).toBe('busy');
    expect([node.within('at once', 'late'), clock.pending]).toEqual(['at once', 0]);
  });
});

describe('a process that stood still while an answer was on its way', () => {
  /** Its timers come late, and before what has come meanwhile is heard. */
  class Sleepy extends FakeClock {
    sleptMs = 0;

    override monotonic(): number {
      return super.monotonic() + this.sleptMs;
    }
  }

  test('hears the answer that was there, and gives up no later than once more its bound', async () => {
    const clock = new Sleepy();
    const { lines, calls } = make(clock);
    const [heard, never] = [lines.ask(calls.call('heard')), lines.ask(calls.call('never'))];
    let isGivenUp = false;
    const givenUp = unavailable(never).then(() => {
      isGivenUp = true;
    });
    clock.sleptMs = 5_000;
    await clock.advance(BOUND_MS);
    await calls.answer('heard');
    expect(await heard).toBe('heard');
    await clock.advance(BOUND_MS - 1);
    expect(isGivenUp).toBe(false);
    await clock.advance(1);
    await givenUp;
  });
});
