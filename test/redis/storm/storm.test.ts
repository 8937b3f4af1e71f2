import { expect, test } from 'vitest';
import { storm } from '../../files/storm/storm.js';
import { folder, removeFolders } from '../../files/support/folders.js';
import { removeBundles } from '../../files/support/processes.js';
import { Sea } from './upheavals.js';

const SECONDS = Number(process.env.STORM_SECONDS ?? 60);

// A minute of it: `npm run storm:redis`.
test('a storm of kills, pauses, partitions and failovers: no number twice, no overlap, no stop missed', {
  timeout: SECONDS * 1_000 + 120_000,
}, async () => {
  const sea = await Sea.start();
  try {
    const { violations, errors, ...counts } = await storm({
      dir: folder(),
      seconds: SECONDS,
      sabotage: false,
      storeOf: (place) => sea.address(place),
      upheaval: (place) => sea.rise(place),
    });
    process.stdout.write(`redis storm of ${SECONDS} s: ${JSON.stringify({ ...counts, errors: errors.length })}\n`);
    expect(violations).toEqual([]);
    expect(counts.grants).toBeGreaterThan(SECONDS * 5);
    expect(counts.kills).toBeGreaterThan(SECONDS / 2);
  } finally {
    await sea.remove();
    removeFolders();
    removeBundles();
  }
});
