import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { Chain, type ChainOptions } from '../../src/files/chain.js';
import { type Gate, gate } from '../support/work.js';
import { diskError, type OnDisk, onDisk } from './support/disk.js';
import { folder } from './support/folders.js';

vi.mock('node:fs/promises', async (original) => (await import('./support/disk.js')).interposed(await original()));

type Words = readonly string[];

const STORE = 'store-of-test';

/** A name as heartbeats have it. */
function beatOf(writer: string): string {
  return `00000000-0000-4000-8000-${Buffer.from(writer).toString('hex').padStart(12, '0').slice(-12)}`;
}

type WordChain = Chain<Words, string[]>;

function chainIn(dir: string, writer: string, options: Partial<ChainOptions<Words, string[]>> = {}): WordChain {
  mkdirSync(join(dir, 'drafts'), { recursive: true });
  return new Chain<Words, string[]>({
    folder: join(dir, 'chain'),
    drafts: join(dir, 'drafts'),
    empty: [],
    isDurable: false,
    check: (state) => {
      if (!Array.isArray(state)) throw new TypeError('it holds no words');
      return state as Words;
    },
    open: (words) => [...words],
    close: (words) => [...words],
    store: () => STORE,
    confirmStore: async () => {},
    writer: async () => beatOf(writer),
    isGone: () => false,
    onOvertaken: async () => {},
    ...options,
  });
}

/** Adds a word, and answers how many there were before. */
function say(chain: WordChain, word: string): Promise<number> {
  return chain.change((words) => ({ answer: words.push(word) - 1, mustLast: false }));
}

/** Stops the first call of this name, before or after it takes effect, until the test lets it go on. */
function pauseAt(name: string, when: 'before' | 'after'): { hook: OnDisk; reached: Promise<void>; goOn: Gate } {
  const reached = gate();
  const goOn = gate();
  let isFirst = true;
  const pause = async (): Promise<void> => {
    reached.open();
    await goOn.promise;
  };
  const hook: OnDisk = async (call) => {
    if (call.name !== name || !isFirst) return undefined;
    isFirst = false;
    if (when === 'after') return pause;
    return await pause();
  };
  return { hook, reached: reached.promise, goOn };
}

function recordsIn(dir: string): string[] {
  return readdirSync(join(dir, 'chain')).sort();
}

/** Until the outdated records are removed. */
async function untilPruned(dir: string, left: number): Promise<void> {
  await expect.poll(() => recordsIn(dir).length, { timeout: 15_000, interval: 20 }).toBe(left);
}

const LONG = 'x'.repeat(2_000);

describe.each([
  ['as symbolic links', ''],
  ['as files', LONG],
])('records %s', (_how, padding) => {
  test('changes of two writers at once all happen, each once and whole', async () => {
    const dir = folder();
    const writers = ['a', 'b'].map((name) => ({ name, chain: chainIn(dir, name) }));
    const all = writers.flatMap(({ name, chain }) =>
      Array.from({ length: 40 }, async (_unused, i) => {
        // One after the other, or they would be written as one.
        for (let turn = 0; turn < i; turn++) await Promise.resolve();
        return say(chain, `${name}${i}${padding}`);
      }),
    );
    const positions = await Promise.all(all);
    expect(positions.sort((a, b) => a - b)).toEqual(positions.map((_unused, i) => i));
    const words = await chainIn(dir, 'c').read();
    expect(new Set(words).size).toBe(80);
    expect(words).toHaveLength(80);
  });

  test('a writer that was paused before it added, and whose number was removed, adds its change once and on top', async () => {
    const dir = folder();
    const [paused, other] = [chainIn(dir, 'paused'), chainIn(dir, 'other')];
    await say(paused, padding);
    const pause = pauseAt(padding === '' ? 'symlink' : 'link', 'before');
    const late = onDisk(pause.hook, () => say(paused, 'late'));
    await pause.reached;
    for (const word of ['1', '2', '3', '4']) await say(other, word);
    await untilPruned(dir, 2);
    pause.goOn.open();
    expect(await late).toBe(5);
    expect(await say(other, '5')).toBe(6);
    expect(await chainIn(dir, 'reader').read()).toEqual([padding, '1', '2', '3', '4', 'late', '5']);
    await untilPruned(dir, 2);
  });

  test('a writer that was paused after it added, while others went on, has added its change once', async () => {
    const dir = folder();
    const [paused, other] = [chainIn(dir, 'paused'), chainIn(dir, 'other')];
    await say(paused, padding);
    const pause = pauseAt(padding === '' ? 'symlink' : 'link', 'after');
    const late = onDisk(pause.hook, () => say(paused, 'late'));
    await pause.reached;
    for (const word of ['1', '2', '3']) await say(other, word);
    await untilPruned(dir, 2);
    pause.goOn.open();
    expect(await late).toBe(1);
    expect(await chainIn(dir, 'reader').read()).toEqual([padding, 'late', '1', '2', '3']);
  });
});

test('a writer that was declared dead while it was paused learns it before it writes again (C9)', async () => {
  const dir = folder();
  const onOvertaken = vi.fn(async () => {});
  const paused = chainIn(dir, 'paused', { onOvertaken });
  const other = chainIn(dir, 'other', { isGone: (writer) => writer === beatOf('paused') });
  await say(paused, '1');
  const pause = pauseAt('symlink', 'before');
  const late = onDisk(pause.hook, () => say(paused, 'late'));
  await pause.reached;
  await say(other, '2');
  expect(onOvertaken).not.toHaveBeenCalled();
  pause.goOn.open();
  await late;
  expect(onOvertaken).toHaveBeenCalledOnce();
});

test('being overtaken by the living is no reason to think of death', async () => {
  const dir = folder();
  const onOvertaken = vi.fn(async () => {});
  const [slow, other] = [chainIn(dir, 'slow', { onOvertaken }), chainIn(dir, 'other')];
  await say(slow, '1');
  const pause = pauseAt('symlink', 'before');
  const late = onDisk(pause.hook, () => say(slow, 'late'));
  await pause.reached;
  await say(other, '2');
  pause.goOn.open();
  expect(await late).toBe(2);
  expect(onOvertaken).not.toHaveBeenCalled();
});

test('an answer that changes nothing is about the state after it was asked for', async () => {
  const dir = folder();
  const [asks, other] = [chainIn(dir, 'asks'), chainIn(dir, 'other')];
  await say(asks, '1');
  await say(other, '2');
  const seen = await asks.change((words) => ({ answer: [...words], mustLast: false }));
  expect(seen).toEqual(['1', '2']);
});

test('a listing that is slower than a change does not take the change back (C8)', async () => {
  const dir = folder();
  const chain = chainIn(dir, 'a');
  await say(chain, '1');
  const pause = pauseAt('readdir', 'after');
  const read = onDisk(pause.hook, () => chain.read());
  await pause.reached;
  await say(chain, '2');
  pause.goOn.open();
  expect(await read).toEqual(['1', '2']);
  expect(chain.state).toEqual(['1', '2']);
});

test('F21: changes that wait together are made on one copy of the state, and written once', async () => {
  const dir = folder();
  const open = vi.fn((words: Words) => [...words]);
  const chain = chainIn(dir, 'a', { open });
  await Promise.all(Array.from({ length: 200 }, (_unused, i) => say(chain, `${i}`)));
  // The first went alone.
  expect(open.mock.calls.length).toBeLessThanOrEqual(3);
  expect(recordsIn(dir).length).toBeLessThanOrEqual(3);
  expect(await chain.read()).toHaveLength(200);
});

test('a change that throws fails alone', async () => {
  const dir = folder();
  const chain = chainIn(dir, 'a');
  const answers = await Promise.allSettled([
    say(chain, '1'),
    chain.change<number>(() => {
      throw new RangeError('no number left');
    }),
    say(chain, '2'),
  ]);
  expect(answers).toMatchObject([{ value: 0 }, { reason: { message: 'no number left' } }, { value: 1 }]);
});

test('outdated records are removed, the newest and the one before it stay', async () => {
  const dir = folder();
  const chain = chainIn(dir, 'a');
  for (let i = 0; i < 20; i++) await say(chain, `${i}`);
  await untilPruned(dir, 2);
  expect(recordsIn(dir)).toEqual(['0000000000000019.json', '0000000000000020.json']);
  // A process that ends sooner leaves them to the next.
  await say(chain, 'last');
  await say(chain, 'very last');
  await chain.close();
  await chainIn(dir, 'b').read();
  await untilPruned(dir, 2);
});

describe('what the disk does', () => {
  test.each(['ENOSPC', 'EACCES', 'EROFS', 'EIO'])(
    '%s at any call fails the change or not, and takes nothing with it',
    async (code) => {
      for (const word of ['short', LONG]) {
        let calls = 0;
        for (let failing = 0; failing <= calls; failing++) {
          const dir = folder();
          let count = 0;
          const chain = chainIn(dir, 'a', { isDurable: true });
          const hook: OnDisk = ({ name }) => {
            if (name !== 'unlink' && count++ === failing) throw diskError(code);
          };
          const failed = await onDisk(hook, () =>
            say(chain, word).then(
              () => undefined,
              (error: unknown) => error,
            ),
          );
          calls = count;
          if (failed !== undefined) expect(failed).toMatchObject({ code });
          const before = await chainIn(dir, 'b').read();
          expect(await say(chain, 'next')).toBe(before?.length ?? 0);
          await chain.close();
          expect(readdirSync(join(dir, 'drafts'))).toEqual([]);
        }
        expect(calls).toBeGreaterThan(2);
      }
    },
  );

  test('a folder that was deleted hands out no number again', async () => {
    const dir = folder();
    const chain = chainIn(dir, 'a');
    await say(chain, '1');
    await say(chain, '2');
    rmSync(join(dir, 'chain'), { recursive: true });
    const lost = { message: expect.stringContaining('was deleted while it was in use') };
    await expect(say(chain, '3')).rejects.toMatchObject(lost);
    await expect(chain.read()).rejects.toMatchObject(lost);
    await say(chainIn(dir, 'b'), 'anew');
    await expect(chain.read()).rejects.toMatchObject(lost);
  });

  test('a folder that was made anew by somebody else hands out no number again either', async () => {
    const dir = folder();
    const chain = chainIn(dir, 'a');
    await say(chain, '1');
    rmSync(join(dir, 'chain'), { recursive: true });
    const anew = chainIn(dir, 'b', { store: () => 'another-store' });
    for (const word of ['1', '2', '3']) await say(anew, word);
    const lost = { message: expect.stringContaining('was deleted while it was in use') };
    await expect(chain.read()).rejects.toMatchObject(lost);
    await expect(say(chain, '4')).rejects.toMatchObject(lost);
  });

  test('a chain that looks empty is begun only if the store is still the one that it was', async () => {
    const dir = folder();
    const confirmStore = vi.fn(async () => {
      throw new Error('another store');
    });
    const chain = chainIn(dir, 'a', { confirmStore });
    await expect(say(chain, '1')).rejects.toThrow('another store');
    expect(await chain.read()).toBeUndefined();
  });

  test('the first record of a chain does not bring back a store that was deleted', async () => {
    const dir = folder();
    const chain = chainIn(dir, 'a');
    rmSync(dir, { recursive: true });
    await expect(say(chain, '1')).rejects.toMatchObject({ message: expect.stringContaining('was deleted') });
    mkdirSync(dir);
  });

  test.each([
    ['empty', ''],
    ['half of one', '{"store":"s","state":["1"],"appl'],
    ['of a writer that is none', `{"store":"${STORE}","state":["1"],"applied":{"../x":1}}`],
    ['of a change that is none', `{"store":"${STORE}","state":["1"],"applied":{"${beatOf('a')}":-1}}`],
    ['foreign', '{"name":"something else"}'],
    ['of another shape', `{"store":"${STORE}","state":"words","applied":{}}`],
  ])('a record that is %s is an error that names it, whether file or link (C10)', async (_what, text) => {
    const dir = folder();
    await say(chainIn(dir, 'a'), '1');
    const path = join(dir, 'chain', '0000000000000002.json');
    if (text.length % 2 === 0) writeFileSync(path, text);
    else symlinkSync(text, path);
    const chain = chainIn(dir, 'b');
    await expect(chain.read()).rejects.toMatchObject({ message: expect.stringContaining(path) });
    await expect(say(chain, '3')).rejects.toMatchObject({ message: expect.stringContaining('no record of runfence') });
    expect(recordsIn(dir)).toHaveLength(2);
  });
});
