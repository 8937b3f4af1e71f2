import { expect, test } from 'vitest';
import { stopStorm } from '../../files/storm/stops/storm.js';
import { folder, removeFolders } from '../../files/support/folders.js';
import { removeBundles } from '../../files/support/processes.js';
import { onRedis } from './stops.js';

const ROUNDS = Number(process.env.STOPS_ROUNDS ?? 100);

// Two minutes of it: `npm run storm:redis`.
test('no stop and no takeover between two machines is lost, nor an epilogue, nor does a receipt say otherwise', {
  timeout: 600_000,
}, async () => {
  const sea = await onRedis();
  try {
    const phases = ['quiet', 'busy', 'pauses', 'partitions', 'deaths'] as const;
    const { storeOf, part } = sea;
    const progress = (text: string): void => void process.stdout.write(`redis stops: ${text}\n`);
    const witness = await stopStorm({
      dir: folder(),
      rounds: ROUNDS,
      seed: 20,
      lanes: 10,
      phases,
      storeOf,
      part,
      progress,
    });
    expect(Object.fromEntries([...witness.faults].filter(([, texts]) => texts.length > 0))).toEqual({});
    expect(witness.counts.get('stops')).toBeGreaterThanOrEqual(ROUNDS * 2);
    expect(witness.counts.get('takeovers')).toBeGreaterThanOrEqual(ROUNDS * 2);
    expect(witness.counts.get('deaths')).toBeGreaterThanOrEqual(ROUNDS);
  } finally {
    await sea.remove();
    removeFolders();
    removeBundles();
  }
});
