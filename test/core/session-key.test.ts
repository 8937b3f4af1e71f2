import fc from 'fast-check';
import { AbortRegistry, type SessionKey, type SessionLock, sessionKeyOf } from 'runfence';
import { memory } from 'runfence/backend';
import { afterEach, describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { shown } from '../support/shown.js';
import { tracked, trackedLock } from '../support/tracked.js';

const PARTS = ['ada', 'chat 1'] as const;
const KEY = '["ada","chat 1"]';

/** Parts as an attacker picks them: quotes, brackets, escapes, lone surrogates, and what only looks blank. */
const part = fc
  .oneof(
    fc.string({ maxLength: 12, unit: 'binary' }),
    fc.string({ maxLength: 12, unit: fc.constantFrom('"', '\\', '[', ']', ',', 'a', '\ud800', '\udc00', '\n', 'u') }),
  )
  .filter((text) => text.trim() !== '');
const parts = fc.array(part, { minLength: 1, maxLength: 4 });

describe('the key that an array makes', () => {
  test('is the same for two arrays only if they have the same parts in the same order (A76)', () => {
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const isSame = one.length === other.length && one.every((text, at) => text === other[at]);
        expect(sessionKeyOf(one) === sessionKeyOf(other)).toBe(isSame);
      }),
    );
  });

  test('gives its parts back, so that no two arrays can make it', () => {
    fc.assert(
      fc.property(parts, (given) => {
        expect(JSON.parse(sessionKeyOf(given))).toEqual(given);
      }),
    );
  });

  test('is equal to a string only if that string spells the array in JSON', () => {
    fc.assert(
      fc.property(part, parts, (text, given) => {
        expect(sessionKeyOf(text) === sessionKeyOf(given)).toBe(text === JSON.stringify(given));
        expect(sessionKeyOf([text])).not.toBe(text);
      }),
    );
  });

  test('is itself the key of its session, and a string is its own key', () => {
    expect(sessionKeyOf(PARTS)).toBe(KEY);
    expect(sessionKeyOf(KEY)).toBe(KEY);
    expect(sessionKeyOf('chat-1')).toBe('chat-1');
  });

  test('parts that would be glued to one text are sessions of their own', () => {
    const alike = [['ada:1', '2'], ['ada', '1:2'], ['ada:1:2'], ['ada', '1', '2'], ['ada","1:2']];
    expect(new Set(alike.map(sessionKeyOf)).size).toBe(alike.length);
  });

  test('may have 16 parts and 1 024 characters', () => {
    expect(sessionKeyOf(Array.from({ length: 16 }, () => 'p'))).toHaveLength(16 * 4 + 1);
    expect(sessionKeyOf(['p'.repeat(1_020)])).toHaveLength(1_024);
    expect(() => sessionKeyOf(['p'.repeat(1_021)])).toThrow(/at most 1024 characters: its parts make 1025/);
  });
});

describe('no toJSON of a library', () => {
  afterEach(() => {
    for (const of of [Object, Array, String]) Reflect.deleteProperty(of.prototype, 'toJSON');
  });

  test('names two sessions alike', () => {
    for (const of of [Object, Array, String]) {
      Object.defineProperty(of.prototype, 'toJSON', { value: () => 'all alike', configurable: true });
    }
    expect(sessionKeyOf(PARTS)).toBe(KEY);
  });
});

const REFUSED: readonly [unknown, RegExp][] = [
  [['ada', undefined], /\[1\] must be a non-blank string.*: got undefined/],
  [[undefined, 'chat'], /\[0\] must be a non-blank string.*: got undefined/],
  [[null, 'chat'], /\[0\].*got null/],
  [['ada', ''], /\[1\].*got a blank string/],
  [['ada', ' \n'], /\[1\].*got a blank string/],
  [['ada', 7], /\[1\].*got number/],
  [[['ada'], 'chat'], /\[0\].*got an array/],
  [[new String('ada'), 'chat'], /\[0\].*got object/],
  // biome-ignore lint/suspicious/noSparseArray: a part that is not there is what is tried.
  [['ada', , 'chat'], /\[1\].*got undefined/],
  [[], /1 to 16 parts: got 0/],
  [Array.from({ length: 17 }, () => 'p'), /1 to 16 parts: got 17/],
  [['p'.repeat(1_024)], /at most 1024 characters/],
  [{ 0: 'ada', length: 1 }, /or an array of such strings: got object/],
  [7, /or an array of such strings: got number/],
  ['', /got a blank string/],
];

const EVERYWHERE: Readonly<Record<string, (key: SessionKey) => unknown>> = {
  sessionKeyOf: (key) => sessionKeyOf(key),
  run: (key) => tracked().control.run({ sessionKey: key }, () => 1),
  start: (key) => tracked().control.start({ sessionKey: key }, () => 1),
  stream: (key) => tracked().control.stream({ sessionKey: key }, async function* () {}),
  begin: (key) => tracked().control.runs.begin({ sessionKey: key }),
  beginSync: (key) => tracked().control.runs.beginSync({ sessionKey: key }),
  abort: (key) => tracked().control.abort({ sessionKey: key }),
  'runs.session': (key) => tracked().control.runs.session(key),
  'runs.isActive': (key) => tracked().control.runs.isActive(key),
  'sessions.load': (key) => tracked().control.sessions.load(key),
  'locks.acquire': (key) => tracked().control.locks.acquire(key),
  'locks.holder': (key) => tracked().control.locks.holder(key),
  register: (key) => new AbortRegistry().register({ id: 'r', sessionKey: key }),
  child: async (key) => {
    const parent = await begin(tracked().control);
    try {
      return await parent.child({ sessionKey: key }, () => 1);
    } finally {
      parent.complete();
    }
  },
};

describe.each(Object.entries(EVERYWHERE))('%s', (_name, take) => {
  test.each(REFUSED.map(([key, message]) => [shown(key), key, message] as const))(
    'refuses %s, and says which part (A77)',
    async (_shown, key, message) => {
      const error = await Promise.resolve()
        .then(() => take(key as SessionKey))
        .catch((caught) => caught);
      expect(error).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringMatching(message) });
      expect(String(error)).toMatch(/: (selector\.)?sessionKey/);
    },
  );
});

for (const backend of [undefined, memory]) {
  test(`one array, every call: all speak of one session, with ${backend === undefined ? 'the private ledger' : 'a backend'} (A76)`, async () => {
    const { control } = tracked(backend === undefined ? {} : { backend: backend() });
    const run = await begin(control, { sessionKey: PARTS, runId: 'r' });
    expect(run.sessionKey).toBe(KEY);
    for (const key of [PARTS, KEY]) {
      expect(control.runs.isActive(key)).toBe(true);
      expect(control.runs.session(key)).toMatchObject({ sessionKey: KEY, activeRunIds: ['r'] });
      expect(await control.sessions.load(key)).toMatchObject({ sessionKey: KEY, activeRunIds: ['r'] });
    }
    expect(control.runs.isActive([...PARTS, 'more'])).toBe(false);
    expect(control.runs.get('r')).toMatchObject({ sessionKey: KEY });
    const grant = await control.locks.acquire(PARTS, { holder: run });
    expect(await control.locks.holder(KEY)).toMatchObject({ token: grant.token });
    grant.release();
    expect(await run.child({ sessionKey: [...PARTS] }, (child) => child.sessionKey)).toMatchObject({ value: KEY });
    expect(await control.abort({ sessionKey: PARTS })).toMatchObject({ result: 'aborted', runIds: ['r'] });
    run.complete();
  });
}

test('an entry of your own is registered and stopped by the parts of its key', async () => {
  const aborts = new AbortRegistry();
  const entry = aborts.register({ id: 'r', sessionKey: PARTS });
  expect(aborts.register({ id: 'r' })).toMatchObject({ registered: false, existing: { sessionKey: KEY } });
  expect(await aborts.abort({ sessionKey: [PARTS[0]] })).toMatchObject({ result: 'nothing-running' });
  expect(await aborts.abort({ sessionKey: PARTS })).toMatchObject({ result: 'aborted' });
  if (entry.registered) entry.release();
});

test('a lock of its own takes the parts of a key', async () => {
  const locks: SessionLock = trackedLock();
  const grant = await locks.acquire(PARTS);
  await expect(locks.acquire(KEY, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
  grant.release();
});

describe('an array that changes while it is read', () => {
  test('is read once, part by part: a getter cannot show two users', async () => {
    const reads: string[] = [];
    const users = ['ada', 'eve'];
    const given = Object.defineProperty(['', 'chat 1'], 0, {
      get: () => {
        reads.push('0');
        return users.shift();
      },
    });
    const { control } = tracked();
    const run = await begin(control, { sessionKey: given });
    expect(run.sessionKey).toBe(KEY);
    expect(reads).toEqual(['0']);
    run.complete();
  });

  test('may be a Proxy: its length and each part are read once, and no method of it is called', () => {
    const seen: PropertyKey[] = [];
    const proxy = new Proxy([...PARTS], {
      get: (target, name) => {
        seen.push(name);
        return Reflect.get(target, name);
      },
    });
    expect(sessionKeyOf(proxy)).toBe(KEY);
    expect(seen).toEqual(['length', '0', '1']);
  });

  test.each([Number.NaN, -1, 2 ** 40, 'many', undefined])('and is refused if it says a length of %s', (length) => {
    const proxy = new Proxy([...PARTS], {
      get: (target, name) => (name === 'length' ? length : Reflect.get(target, name)),
    });
    expect(() => sessionKeyOf(proxy)).toThrow(/1 to 16 parts/);
  });

  test('what it throws goes to the caller, and nothing was begun', async () => {
    const { control } = tracked();
    const current = await begin(control, { sessionKey: PARTS });
    const given = Object.defineProperty([...PARTS], 1, {
      get: () => {
        throw new Error('no part');
      },
    });
    await expect(control.run({ sessionKey: given }, () => 1)).rejects.toThrow('no part');
    await expect(control.abort({ sessionKey: given })).rejects.toThrow('no part');
    expect(current.isCurrent()).toBe(true);
    current.complete();
  });

  test('changes nothing of a run or a stop when it is changed later', async () => {
    const { control } = tracked();
    const given = [...PARTS] as string[];
    const begun = begin(control, { sessionKey: given });
    given[0] = 'eve';
    const run = await begun;
    expect(run.sessionKey).toBe(KEY);
    run.complete();
  });
});
