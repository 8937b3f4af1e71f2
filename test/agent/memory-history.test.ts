import { memoryHistory, type TurnRecord, type WriteAt } from 'runfence/agent';
import { expect, test } from 'vitest';

const { signal } = new AbortController();
const at = (token: number, issuer = 'a'): WriteAt => ({ token, issuer, signal });

function turn(runId: string, order: number, text = runId): TurnRecord {
  return {
    runId,
    order,
    generation: 1,
    kind: 'chat',
    format: 'scripted',
    incoming: [{ who: 'user', text }],
    answer: [],
    state: 'whole',
  };
}

async function ids(history: ReturnType<typeof memoryHistory>, key = 's'): Promise<string[]> {
  return (await history.read(key, { signal })).map(({ runId }) => runId);
}

test('turns are in their order, and a write of the same run replaces', async () => {
  const history = memoryHistory();
  await history.write('s', turn('b', 2), at(1));
  await history.write('s', turn('a', 1), at(2));
  await history.write('s', turn('b', 2, 'again'), at(3));
  expect(await history.read('s', { signal })).toMatchObject([{ runId: 'a' }, { incoming: [{ text: 'again' }] }]);
  await history.write('s', turn('c', 3), at(3), ['a', 'c']);
  expect(await ids(history)).toEqual(['b', 'c']);
  await history.remove('s', ['b', 'nothing'], at(3));
  expect(await ids(history)).toEqual(['c']);
  await history.delete('s');
  expect(await ids(history)).toEqual([]);
});

test('a write under a lower token of the same issuer is refused; an issuer that starts anew is not', async () => {
  const history = memoryHistory();
  await history.write('s', turn('a', 1), at(5));
  expect(() => history.write('s', turn('b', 2), at(4))).toThrow(expect.objectContaining({ code: 'LOCK_LOST' }));
  expect(() => history.remove('s', ['a'], at(4))).toThrow(expect.objectContaining({ code: 'LOCK_LOST' }));
  await history.write('t', turn('b', 2), at(4));
  await history.write('s', turn('c', 2), at(1, 'b'));
  expect(await ids(history)).toEqual(['a', 'c']);
});

test('a write whose time is over is refused', () => {
  const over = AbortSignal.abort(new Error('too late'));
  expect(() => memoryHistory().write('s', turn('a', 1), { token: 1, issuer: 'a', signal: over })).toThrow('too late');
});

test('nobody can change what is kept, neither through what was given nor through what was got', async () => {
  const history = memoryHistory();
  const given = turn('a', 1);
  await history.write('s', given, at(1));
  (given.incoming as unknown[]).push('more');
  const [got] = (await history.read('s', { signal })) as [TurnRecord];
  expect(() => (got.incoming as unknown[]).push('more')).toThrow(TypeError);
  expect(() => Object.assign(got.incoming[0] as object, { text: 'x' })).toThrow(TypeError);
  expect(await history.read('s', { signal })).toEqual([turn('a', 1)]);
});

test('what is no JSON is refused, and changes nothing', async () => {
  const history = memoryHistory();
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  for (const incoming of [cyclic, [1n]]) {
    expect(() => history.write('s', { ...turn('a', 1), incoming }, at(1))).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
  }
  expect(await ids(history)).toEqual([]);
});

test('the session that was not used for the longest time goes first', async () => {
  const history = memoryHistory({ maxSessions: 2 });
  for (const key of ['a', 'b']) await history.write(key, turn(key, 1), at(1));
  await history.read('a', { signal });
  await history.write('c', turn('c', 1), at(1));
  expect([await ids(history, 'a'), await ids(history, 'b'), await ids(history, 'c')]).toEqual([['a'], [], ['c']]);
});

test('options that are wrong are refused', () => {
  for (const wrong of [{ maxSessions: 0 }, { maxSessions: 1.5 }, { max: 1 }]) {
    expect(() => memoryHistory(wrong as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  }
});
