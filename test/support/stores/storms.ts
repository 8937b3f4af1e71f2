import { expect } from 'vitest';
import type { StopsOptions } from '../../files/storm/stops/storm.js';
import { stopStorm } from '../../files/storm/stops/storm.js';
import { storm, type Upheaval } from '../../files/storm/storm.js';
import { folder, removeFolders } from '../../files/support/folders.js';
import { removeBundles } from '../../files/support/processes.js';
import type { StoreAddress } from './open.js';

/** A store with a way to it for each process, on which things happen. */
export interface StormySea {
  address(place: number): StoreAddress;
  rise(place: number): Promise<Upheaval>;
  remove(): Promise<void>;
}

/** A store, and a way to it for each of two processes. */
export type Strait = Required<Pick<StopsOptions, 'storeOf' | 'part'>> & { remove(): Promise<void> };

/** Kills, pauses, partitions and failovers: no number comes twice, nothing overlaps, no stop is missed. */
export async function holdsInStorm(name: string, seconds: number, opening: Promise<StormySea>): Promise<void> {
  const sea = await opening;
  try {
    const { violations, errors, ...counts } = await storm({
      dir: folder(),
      seconds,
      sabotage: false,
      storeOf: (place) => sea.address(place),
      upheaval: (place) => sea.rise(place),
    });
    process.stdout.write(`${name} storm of ${seconds} s: ${JSON.stringify({ ...counts, errors: errors.length })}\n`);
    expect(violations).toEqual([]);
    expect(counts.grants).toBeGreaterThan(seconds * 2);
    expect(counts.kills).toBeGreaterThan(seconds / 2);
  } finally {
    await sea.remove();
    removeFolders();
    removeBundles();
  }
}

/** Stops and takeovers between two machines: none is lost, nor an epilogue, nor does a receipt say otherwise. */
export async function stopsHold(name: string, rounds: number, opening: Promise<Strait>): Promise<void> {
  const { storeOf, part, remove } = await opening;
  try {
    const witness = await stopStorm({
      ...{ dir: folder(), rounds, seed: 20, lanes: Math.min(10, rounds), storeOf, part },
      phases: ['quiet', 'busy', 'pauses', 'partitions', 'deaths'],
      progress: (text) => void process.stdout.write(`${name} stops: ${text}\n`),
    });
    expect(Object.fromEntries([...witness.faults].filter(([, texts]) => texts.length > 0))).toEqual({});
    expect(witness.counts.get('stops')).toBeGreaterThanOrEqual(rounds * 2);
    expect(witness.counts.get('takeovers')).toBeGreaterThanOrEqual(rounds * 2);
    expect(witness.counts.get('deaths')).toBeGreaterThanOrEqual(rounds);
  } finally {
    await remove();
    removeFolders();
    removeBundles();
  }
}
