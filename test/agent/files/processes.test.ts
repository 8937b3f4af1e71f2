import { fileHistory } from 'runfence/agent/files';
import { afterAll, afterEach, expect, test } from 'vitest';
import { folder, removeFolders } from '../../files/support/folders.js';
import { Other, processesLeft, removeBundles } from '../../files/support/processes.js';
import { times } from '../../support/proofs.js';
import { at, signal, turn } from './support/turns.js';

afterEach(() => {
  const left = processesLeft();
  removeFolders();
  expect(left).toEqual([]);
});
afterAll(removeBundles);

const LIVES = times(3, 15);

test('two processes write to one session, and are killed in the middle of it: what was kept is there (K17)', async () => {
  const dir = folder();
  const kept: string[] = [];
  for (let life = 0; life < LIVES; life += 1) {
    const names = [`a${life}`, `b${life}`];
    const writers = await Promise.all(names.map((name) => Other.start('history', { dir, name, count: 8 })));
    // Each is killed behind another of its turns.
    await writers[0]?.says('kept', ({ runId }) => runId === `a${life}-${life % 6}`);
    await writers[0]?.kill();
    await writers[1]?.says('done');
    await writers[1]?.kill();
    for (const { said, stderr } of writers) {
      expect(stderr).toBe('');
      kept.push(...said.flatMap((one) => (one.what === 'kept' ? [String(one.runId)] : [])));
    }
  }
  const history = fileHistory({ dir });
  const turns = await history.read('s', { signal });
  const whole = turns.filter(({ state }) => state === 'whole').map(({ runId }) => runId);
  expect(whole).toEqual(expect.arrayContaining(kept));
  // Of each that was killed, one turn at most had not been answered yet.
  expect(turns.length - kept.length).toBeLessThanOrEqual(LIVES);
  for (const { runId, incoming, state } of turns) {
    if (state === 'whole') expect(incoming).toEqual([runId]);
    else expect(incoming).toEqual([`${runId} `.padEnd(20_000, 'ö')]);
  }
  await history.write('s', turn('next', 99), at(2));
  expect(kept.length).toBeGreaterThanOrEqual(LIVES * 9);
}, 120_000);
