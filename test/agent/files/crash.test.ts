import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { History } from 'runfence/agent';
import { fileHistory } from 'runfence/agent/files';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { diskError, onDisk } from '../../files/support/disk.js';
import { folder, removeFolders } from '../../files/support/folders.js';
import { times } from '../../support/proofs.js';
import { closeLeft, type HandleCall } from './support/disk.js';
import { at, idsOf, LONG, signal, turn } from './support/turns.js';

vi.mock('node:fs/promises', async (original) => (await import('./support/disk.js')).interposedFiles(await original()));

/** Every call is tried by `npm run proofs`. */
const STEP = times(8, 1);

afterEach(async () => {
  await closeLeft();
  removeFolders();
});

interface Change {
  readonly before?: (history: History) => Promise<void>;
  readonly act: (history: History) => Promise<unknown>;
  /** The runs that are there, before and after it. */
  readonly states: readonly [readonly string[], readonly string[]];
}

/** So much that the next write finds a log to shorten. */
async function wasteful(history: History): Promise<void> {
  await history.write('s', turn('a', 1), at(1));
  for (let n = 0; n < 2; n += 1) await history.write('s', turn('b', 2, `n${n}`, LONG), at(1));
}

const CHANGES: Readonly<Record<string, Change>> = {
  'the first write': { act: async (history) => history.write('s', turn('a', 1), at(2)), states: [[], ['a']] },
  'a write': {
    before: async (history) => history.write('s', turn('a', 1), at(1)),
    act: async (history) => history.write('s', turn('b', 2), at(2), ['a']),
    states: [['a'], ['b']],
  },
  'a write that shortens the log': {
    before: wasteful,
    act: async (history) => history.write('s', turn('b', 2), at(2)),
    states: [
      ['a', 'b'],
      ['a', 'b'],
    ],
  },
  'a removal': {
    before: wasteful,
    act: async (history) => history.remove('s', ['b'], at(2)),
    states: [['a', 'b'], ['a']],
  },
  'a deletion': { before: wasteful, act: async (history) => history.delete('s'), states: [['a', 'b'], []] },
};

/** What holds after any accident: it is as before or as after, whole, and it can be written to. */
async function holds(dir: string, { states }: Change, isDone: boolean, where: string): Promise<void> {
  const history = fileHistory({ dir });
  const ids = await idsOf(history);
  expect(isDone ? [states[1]] : states, where).toContainEqual(ids);
  for (const { incoming } of await history.read('s', { signal })) expect(incoming, where).toHaveLength(1);
  await history.write('s', turn('next', 9), at(3));
  expect(await idsOf(history), where).toEqual([...ids, 'next']);
  await expect(history.write('s', turn('late', 9), at(2)), where).rejects.toMatchObject({ code: 'LOCK_LOST' });
  await history.delete('s');
  expect(await idsOf(history), where).toEqual([]);
  expect(readdirSync(join(dir, 'sessions')), where).toEqual([]);
}

describe.each(Object.entries(CHANGES))('%s', (_name, change) => {
  const { before, act } = change;
  const stateOf = async (): Promise<string> => {
    const dir = folder();
    await before?.(fileHistory({ dir }));
    return dir;
  };

  test('whose process dies at any call, or in the middle of one, is done whole or not at all (K17)', async () => {
    let calls = 0;
    for (let last = 0; ; last += STEP) {
      let isOver = true;
      for (const inHalf of [false, true]) {
        const dir = await stateOf();
        let count = 0;
        let dead = (): void => {};
        const died = new Promise<false>((resolve) => {
          dead = () => resolve(false);
        });
        const hook = async (call: HandleCall): Promise<void> => {
          count += 1;
          if (count <= last) return;
          if (inHalf && count === last + 1) await call.half?.();
          dead();
          await new Promise(() => {});
        };
        const acting = onDisk(hook, async () => act(fileHistory({ dir }))).then(() => true as const);
        const isDone = await Promise.race([acting, died]);
        isOver &&= isDone;
        calls = count;
        await holds(dir, change, isDone, `died at call ${last + 1}${inHalf ? ', half of it done' : ''}`);
        await closeLeft();
      }
      if (isOver) break;
    }
    expect(calls).toBeGreaterThan(10);
  });

  test('on a disk that refuses any call says so or is done, and leaves no file open', async () => {
    for (const error of ['ENOSPC', 'EIO', 'EACCES']) {
      for (let failing = 1, isOver = false; !isOver; failing += STEP) {
        const dir = await stateOf();
        let count = 0;
        let failed = '';
        const hook = async (call: HandleCall): Promise<void> => {
          count += 1;
          if (count !== failing) return;
          // A file is closed also if that fails.
          if (call.name === 'file.close') return;
          failed = call.name;
          if (error === 'ENOSPC') await call.half?.();
          throw diskError(error);
        };
        const answer = await onDisk(hook, async () => act(fileHistory({ dir }))).then(
          () => 'done',
          (reason: Error) => String(reason),
        );
        isOver = count < failing;
        if (answer !== 'done') expect(answer).toContain(error);
        const where = `${error} at call ${failing}, ${failed}: ${answer}`;
        await holds(dir, change, answer === 'done', where);
        expect(await closeLeft(), where).toBe(0);
      }
    }
  });

  test('at each of whose calls another process writes, shortens or deletes: one of them was first', async () => {
    const others: Readonly<Record<string, (history: History) => Promise<unknown>>> = {
      'a write': async (history) => history.write('s', turn('other', 5), at(2)),
      'writes that shorten the log': async (history) => {
        for (let n = 0; n < 3; n += 1) await history.write('s', turn('other', 5, `n${n}`, LONG), at(2));
        await history.write('s', turn('other', 5, 'short'), at(2));
      },
      'a deletion, and what begins anew': async (history) => {
        await history.delete('s');
        await history.write('s', turn('other', 5), at(2));
      },
    };
    for (const [name, other] of Object.entries(others)) {
      const inOrder = async (acts: readonly ((history: History) => Promise<unknown>)[]): Promise<string[]> => {
        const history = fileHistory({ dir: await stateOf() });
        for (const one of acts) await one(history);
        return idsOf(history);
      };
      const allowed = [await inOrder([act, other]), await inOrder([other, act])];
      for (let at = 1, calls = 1; at <= calls; at += STEP) {
        for (const isAfter of [false, true]) {
          const dir = await stateOf();
          let count = 0;
          // Not behind a call that has failed.
          let isDone = false;
          const between = async (): Promise<void> => {
            isDone = true;
            await onDisk(
              () => {},
              () => other(fileHistory({ dir })),
            );
          };
          const hook = async (): Promise<void | (() => Promise<void>)> => {
            count += 1;
            if (count !== at) return;
            if (isAfter) return between;
            await between();
          };
          await onDisk(hook, async () => act(fileHistory({ dir })));
          calls = count;
          const where = `${name} ${isAfter ? 'behind' : 'before'} call ${at}`;
          expect(isDone ? allowed : [change.states[1]], where).toContainEqual(await idsOf(fileHistory({ dir })));
        }
      }
    }
  });
});
