import { memory } from 'runfence';
import { FakeClock, flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { Operations } from '../../../src/core/internal/operations.js';
import { Runtime } from '../../../src/core/internal/runtime.js';
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

function make(): { operations: Operations; calls: Calls; clock: FakeClock } {
  const clock = new FakeClock();
  return { operations: new Operations(memory(), new Runtime({ clock }), BOUND_MS), calls: new Calls(), clock };
}

function unavailable(answer: unknown): Promise<void> {
  return expect(answer).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
}

test('an answer that is no promise is handed through in the call', () => {
  const { operations } = make();
  expect([operations.send('s', () => 1), operations.sendFirst('s', () => 2), operations.ask(() => 3)]).toEqual([
    1, 2, 3,
  ]);
});

test('operations of one session are sent one at a time, in order, each after the answer to the one before', async () => {
  const { operations, calls } = make();
  const answers = ['a', 'b', 'c'].map((name) => operations.send('s', calls.call(name)));
  expect(calls.sent).toEqual(['a']);
  await calls.answer('b');
  expect(calls.sent).toEqual(['a']);
  await calls.answer('a');
  expect(calls.sent).toEqual(['a', 'b', 'c']);
  await calls.answer('c');
  expect(await Promise.all(answers)).toEqual(['a', 'b', 'c']);
});

test('another session, and what is only asked, is not held up', async () => {
  const { operations, calls } = make();
  const names = ['a', 'b', 'c'];
  const answers = [
    operations.send('s', calls.call('a')),
    operations.send('t', calls.call('b')),
    operations.ask(calls.call('c')),
  ];
  expect(calls.sent).toEqual(names);
  for (const name of names) await calls.answer(name);
  expect(await Promise.all(answers)).toEqual(names);
});

test('what goes first goes before everything unsent, in its own order', async () => {
  const { operations, calls } = make();
  const answers = [
    operations.send('s', calls.call('under way')),
    operations.send('s', calls.call('later')),
    operations.sendFirst('s', calls.call('stop 1')),
    operations.sendFirst('s', calls.call('stop 2')),
  ];
  for (const name of ['later', 'stop 2', 'stop 1', 'under way']) await calls.answer(name);
  await Promise.all(answers);
  expect(calls.sent).toEqual(['under way', 'stop 1', 'stop 2', 'later']);
});

test.each(['rejects', 'throws', 'is late'])(
  'one that %s is unavailable, and holds up nobody behind it',
  async (how) => {
    const { operations, calls, clock } = make();
    const first = unavailable(operations.send('s', calls.call('first')));
    const second = operations.send('s', () => {
      if (how === 'throws') throw new Error('no connection');
      return calls.call('second')();
    });
    const third = operations.send('s', calls.call('third'));
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
  const { operations, calls, clock } = make();
  const first = operations.send('s', calls.call('first'));
  const second = operations.send('s', calls.call('second'));
  await clock.advance(BOUND_MS - 1);
  await calls.answer('first');
  await clock.advance(BOUND_MS - 1);
  await calls.answer('second');
  expect([await first, await second, clock.pending]).toEqual(['first', 'second', 0]);
});

test('the bound keeps the process while an answer is awaited', async () => {
  const { operations, calls, clock } = make();
  const answer = operations.ask(calls.call('a'));
  expect(clock.refed).toBe(1);
  await calls.answer('a');
  await answer;
  expect(clock.refed).toBe(0);
});

test.each(['send', 'sendFirst'] as const)(
  '%s tells who sent it of an answer that came late: it took effect all the same',
  async (how) => {
    const { operations, calls, clock } = make();
    const before = unavailable(operations.send('s', calls.call('before')));
    const late: string[] = [];
    const answer = unavailable(operations[how]('s', calls.call('a'), (value) => late.push(value)));
    await clock.advance(BOUND_MS);
    await before;
    await clock.advance(BOUND_MS);
    await answer;
    expect(late).toEqual([]);
    await calls.answer('a');
    expect(late).toEqual(['a']);
  },
);

test('a late rejection is heard by nobody', async () => {
  const { operations, calls, clock } = make();
  const answer = unavailable(operations.send('s', calls.call('a'), () => expect.unreachable()));
  await clock.advance(BOUND_MS);
  await answer;
  await calls.fail('a');
});

test('a session whose operations are all answered is synchronous again', async () => {
  const { operations, calls } = make();
  const answer = operations.send('s', calls.call('a'));
  await calls.answer('a');
  await answer;
  expect(operations.send('s', () => 'at once')).toBe('at once');
});
