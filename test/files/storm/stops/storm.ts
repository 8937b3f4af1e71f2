import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../../../../src/testing/random.js';
import type { StoreAddress } from '../../../support/stores/open.js';
import { bundled } from '../../support/processes.js';
import { deathWave } from './deaths.js';
import { Lane, type Stage } from './round.js';
import { LATEST_MS, safely, stopRound, takeoverRound } from './rounds.js';
import { now, pause, Server } from './server.js';
import { Witness } from './witness.js';

export interface StopsOptions {
  /** An empty folder. */
  readonly dir: string;
  /** In each phase so many stops and so many takeovers; so many deaths in the last. */
  readonly rounds: number;
  readonly seed: number;
  readonly lanes: number;
  readonly phases: readonly Phase[];
  /** Where each of the two keeps its sessions; in a folder by default. */
  readonly storeOf?: ((place: 0 | 1) => StoreAddress) | undefined;
  /** For the phase `partitions`: parts one of the two from the store, until what is returned is called. */
  readonly part?: ((place: 0 | 1) => Promise<() => Promise<void>>) | undefined;
  /** A stop that has not arrived by then is one that was missed, in ms; 1 000 by default. */
  readonly arrivedMs?: number | undefined;
  /** Told what is being done. */
  readonly progress?: ((text: string) => void) | undefined;
}

export const PHASES = ['quiet', 'busy', 'pauses', 'deaths'] as const;
export type Phase = (typeof PHASES)[number] | 'partitions';

const STALE_MS = 2_000;
const ARRIVED_MS = 1_000;

/** Two servers on one folder, of which each stops and takes over what the other runs, in many sessions at once. */
export async function stopStorm(options: StopsOptions): Promise<Witness> {
  const { dir, seed, lanes: width, phases, arrivedMs = ARRIVED_MS, progress = () => {} } = options;
  const journal = join(dir, 'journal');
  writeFileSync(journal, '');
  const file = await bundled('stops');
  const inFolder: StoreAddress = { kind: 'files', dir: join(dir, 'store'), staleMs: STALE_MS };
  const given = (place: 0 | 1): object => ({ store: options.storeOf?.(place) ?? inFolder, journal });
  const servers = [new Server('A', file, given(0)), new Server('B', file, given(1))] as const;
  const witness = new Witness();
  const stage: Stage = { servers, witness, random: new Random(seed), isCalm: true, arrivedMs };
  const lanes = Array.from({ length: width }, (_, at) => new Lane(stage, `chat-${at}`));
  const { rounds } = options;
  const ticking = setInterval(() => progress(`  ${line(witness)}`), 10_000);
  try {
    await Promise.all(servers.map((server) => server.start()));
    for (const phase of phases) {
      const from = now();
      if (phase === 'deaths') await deaths(stage, lanes, rounds);
      else if (phase === 'pauses') await pauses(stage, lanes, rounds);
      else if (phase === 'partitions') await partitions(stage, lanes, rounds, options.part);
      else {
        if (phase === 'busy')
          await Promise.all(servers.map((server, at) => server.ask({ order: 'busy', session: `busy-${at}` })));
        // A tenth of the stops are for all.
        const waves = Math.ceil(rounds / 10 / width);
        await calm(lanes, Math.max(0, rounds - waves * width), rounds);
        for (let i = 0; i < waves; i++) await stopAll(stage, lanes);
      }
      progress(`${phase}, ${Math.round((now() - from) / 1_000)} s: ${line(witness)}`);
    }
    await Promise.all(servers.map((server) => server.end()));
  } finally {
    clearInterval(ticking);
    await Promise.all(servers.map((server) => server.kill()));
  }
  witness.read(journal, ({ pid, grantedAt, at }) =>
    servers.some((server) => server.stoodStill(grantedAt - 100, at, pid)),
  );
  for (const { name, errors } of servers)
    for (const error of errors) witness.heard(`${name}: ${error.replace(/"chat-[^"]*"/g, '"..."')}`);
  return witness;
}

async function calm(lanes: readonly Lane[], stops: number, takeovers: number): Promise<void> {
  const left = { stops, takeovers };
  const { random } = (lanes[0] as Lane).stage;
  const go = async (lane: Lane): Promise<void> => {
    while (left.stops + left.takeovers > 0) {
      const isStop = random.below(left.stops + left.takeovers) < left.stops;
      if (isStop) left.stops -= 1;
      else left.takeovers -= 1;
      await safely(lane, () => (isStop ? stopRound(lane) : takeoverRound(lane)));
      // Idle for about as long as a server forgets what it has no use for.
      await pause(random.below(60));
    }
  };
  await Promise.all(lanes.map(go));
}

/** One stop for the runs of all sessions. */
async function stopAll({ servers, random }: Stage, lanes: readonly Lane[]): Promise<void> {
  const by = servers[random.below(2)] as Server;
  const stopped = pause(random.below(LATEST_MS + 40)).then(() =>
    by.ask({ order: 'stop', id: `stop of all by ${lanes[0]?.next()}`, selector: 'all', options: {} }),
  );
  stopped.catch(() => {});
  await Promise.all(lanes.map((lane) => safely(lane, () => stopRound(lane, { by, stopped }))));
}

/** One of the two stands still now and then, for shorter and longer than it may. */
async function pauses(stage: Stage, lanes: readonly Lane[], rounds: number): Promise<void> {
  const { servers, random } = stage;
  stage.isCalm = false;
  let isOver = false;
  const sleeping = (async () => {
    while (!isOver) {
      await pause(600 + random.below(900));
      const server = servers[random.below(2)] as Server;
      server.sleep();
      await pause(random.chance(0.5) ? 200 + random.below(1_200) : STALE_MS + 300 + random.below(1_500));
      server.wake();
    }
  })();
  await calm(lanes, rounds, rounds);
  isOver = true;
  await sleeping;
  await pause(1_000);
  stage.isCalm = true;
}

/** One of the two cannot reach the store now and then, for shorter and longer than its lease. */
async function partitions(
  stage: Stage,
  lanes: readonly Lane[],
  rounds: number,
  part: StopsOptions['part'],
): Promise<void> {
  const { servers, random } = stage;
  stage.isCalm = false;
  let isOver = false;
  const parting = (async () => {
    while (!isOver && part !== undefined) {
      await pause(600 + random.below(900));
      const place = random.below(2) as 0 | 1;
      const heal = await part(place);
      (servers[place] as Server).cutOff();
      await pause(random.chance(0.5) ? 200 + random.below(1_200) : STALE_MS + 300 + random.below(1_500));
      await heal();
      (servers[place] as Server).joined();
    }
  })();
  await calm(lanes, rounds, rounds);
  isOver = true;
  await parting;
  await pause(1_000);
  stage.isCalm = true;
}

async function deaths(stage: Stage, lanes: readonly Lane[], rounds: number): Promise<void> {
  const [victim, other] = stage.servers;
  stage.isCalm = false;
  const { counts } = stage.witness;
  while ((counts.get('deaths') ?? 0) < rounds) await deathWave(lanes, victim, other);
  stage.isCalm = true;
}

function line(witness: Witness): string {
  const counted = [...witness.counts].map(([what, count]) => `${what} ${count}`).join(', ');
  const faults = [...witness.faults].flatMap(([fault, { length }]) => (length === 0 ? [] : [`${fault} ${length}`]));
  return `${counted}; ${faults.length === 0 ? 'no fault' : `FAULTS ${faults.join(', ')}`}`;
}
