import { type History, memoryHistory } from 'runfence/agent';
import { fileHistory } from 'runfence/agent/files';
import { afterEach, expect, test } from 'vitest';
import { folder, removeFolders } from '../../files/support/folders.js';
import { times } from '../../support/proofs.js';
import { randomOf } from '../support/random.js';
import { at, idsOf, LONG, signal, turn } from './support/turns.js';

afterEach(removeFolders);

const seeds = (count: number): number[] =>
  process.env.HISTORY_SEED === undefined
    ? Array.from({ length: count }, () => Math.floor(Math.random() * 2 ** 32))
    : [Number(process.env.HISTORY_SEED)];

const KEYS = ['s', 't'];

async function answerOf(act: () => unknown): Promise<unknown> {
  try {
    return (await act()) ?? 'done';
  } catch (error) {
    return (error as { code?: unknown }).code ?? String(error);
  }
}

test('whatever is done, it answers what a history in memory answers, and two instances on one folder are one', async () => {
  for (const seed of seeds(times(4, 150))) {
    const random = randomOf(seed);
    const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
    const runs = ['a', 'b', 'c', 'd', 'e'];
    const dir = folder();
    const files = [fileHistory({ dir }), fileHistory({ dir })];
    const memory = memoryHistory();
    for (let step = 0; step < 60; step += 1) {
      const key = pick(KEYS);
      const held = at(Math.floor(step / 6) + Math.floor(random() * 3), random() < 0.9 ? 'backend' : 'control:x');
      const record = turn(pick(runs), 1 + Math.floor(random() * 1e9), `step ${step}`, random() < 0.3 ? LONG : 0);
      const some = runs.filter(() => random() < 0.2);
      const [what, replaces] = [random(), random() < 0.5 ? some : []];
      const act = (history: History): Promise<unknown> =>
        answerOf(() => {
          if (what < 0.7) return history.write(key, record, held, replaces);
          if (what < 0.85) return history.remove(key, some, held);
          return what < 0.9 ? history.delete(key) : history.read(key, { signal });
        });
      const expected = await act(memory);
      expect(await act(pick(files)), `HISTORY_SEED=${seed}, step ${step}`).toEqual(expected);
    }
    for (const key of KEYS) {
      const expected = await memory.read(key, { signal });
      for (const history of [...files, fileHistory({ dir })]) {
        expect(await history.read(key, { signal }), `HISTORY_SEED=${seed}`).toEqual(expected);
      }
    }
  }
});

test('what is written at once is all there, in spite of logs that are shortened and sessions that are read', async () => {
  for (const seed of seeds(times(2, 40))) {
    const random = randomOf(seed);
    const dir = folder();
    const writers = Array.from({ length: 4 }, () => fileHistory({ dir }));
    const reader = fileHistory({ dir });
    let isOver = false;
    const reading = (async () => {
      for (let last = 0; !isOver; ) {
        const ids = await idsOf(reader);
        expect(ids.length, `HISTORY_SEED=${seed}: a turn was there, and then it was not`).toBeGreaterThanOrEqual(last);
        last = ids.length;
      }
    })();
    await Promise.all(
      writers.map(async (history, writer) => {
        for (let n = 0; n < 8; n += 1) {
          const runId = `${writer}-${n}`;
          // Twice, so that there is something to leave out.
          await history.write('s', turn(runId, writer * 100 + n, 'open', random() < 0.5 ? LONG : 0), at(1));
          await history.write('s', turn(runId, writer * 100 + n, `whole ${runId}`), at(1));
        }
      }),
    );
    isOver = true;
    await reading;
    const turns = await reader.read('s', { signal });
    expect(
      turns.map(({ incoming }) => (incoming[0] as { text: string }).text),
      `HISTORY_SEED=${seed}`,
    ).toEqual(writers.flatMap((_history, writer) => Array.from({ length: 8 }, (_none, n) => `whole ${writer}-${n}`)));
  }
});

test('a writer that has lost the lock loses, however close it was (K17)', async () => {
  for (const seed of seeds(times(3, 100))) {
    const random = randomOf(seed);
    const dir = folder();
    const [stale, current] = [fileHistory({ dir }), fileHistory({ dir })];
    await current.write('s', turn('first', 1), at(1));
    let isTaken = false;
    const refused: string[] = [];
    const kept: string[] = [];
    const writing = (async () => {
      for (let n = 0; n < 12; n += 1) {
        const wasTaken = isTaken;
        try {
          await stale.write('s', turn(`stale-${n}`, 10 + n, 'x', random() < 0.3 ? LONG : 0), at(1));
          kept.push(`stale-${n}`);
          expect(wasTaken, `HISTORY_SEED=${seed}`).toBe(false);
        } catch (error) {
          expect(error, `HISTORY_SEED=${seed}`).toMatchObject({ code: 'LOCK_LOST' });
          refused.push(`stale-${n}`);
        }
      }
    })();
    for (let ticks = Math.floor(random() * 40); ticks > 0; ticks -= 1) await new Promise((done) => setImmediate(done));
    await current.write('s', turn('taken', 2), at(2));
    isTaken = true;
    await writing;
    expect(await idsOf(current), `HISTORY_SEED=${seed}`).toEqual(['first', 'taken', ...kept]);
    expect(kept.length + refused.length).toBe(12);
  }
});
