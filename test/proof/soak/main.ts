/**
 * Choices load with random stops on the real clock, for as long as you like:
 *
 *     npm run soak -- --seconds 60 --seed 7
 *     npm run soak -- --seconds 60 --faulty
 *
 * The load is on a ledger of its own, on a memory and on a slow backend; with `--faulty` also on one that refuses,
 * breaks, stalls and doubles calls and loses and doubles notices.
 *
 * It exits with 1 if anything is off. The heap is measured after a garbage collection, outside of the event loop's
 * delay, from a third of the time on: before that, what is bounded fills.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { memory } from 'runfence/backend';
import { FaultyBackend } from 'runfence/testing';
import { Choices } from '../choices.js';
import { awakeClock } from './awake-clock.js';
import { type HeapSample, trendOf } from './heap.js';
import { Load } from './load.js';
import { Store } from './store.js';
import { type Figures, HEAP_MARGIN_BYTES, verdictOf } from './verdict.js';
import { Witness } from './witness.js';
import { pause } from './work.js';

const USERS = 24;
const FAULTS = {
  refused: 0.01,
  broken: 0.01,
  stalled: 0.01,
  stallMs: 600,
  doubled: 0.02,
  lostNotices: 0.02,
  doubledNotices: 0.05,
};
const SETTLE_MS = 5_000;

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, seed: { type: 'string' }, faulty: { type: 'boolean' } },
});
const seconds = Number(values.seconds ?? 60);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
if (!(seconds >= 1) || !Number.isSafeInteger(seed)) {
  console.error('Usage: npm run soak -- --seconds <1 or more> [--seed <integer>] [--faulty]');
  process.exit(2);
}
const { gc } = globalThis;
if (gc === undefined) {
  console.error('The soak needs --expose-gc: use npm run soak.');
  process.exit(2);
}

const random = new Choices(seed);
const witness = new Witness();
const store = new Store();
const slow = new FaultyBackend({ scope: 'cluster', faults: { seed, clock: awakeClock, latencyMs: 3 } });
const faulty = new FaultyBackend({ scope: 'cluster', faults: { seed, clock: awakeClock, latencyMs: 3, ...FAULTS } });
const isFaulty = values.faulty === true;
witness.isFaulty = isFaulty;
const loads = [
  new Load('alone', { nodes: 1 }, random, store, witness),
  new Load('at-once', { backend: memory(), nodes: 2 }, random, store, witness),
  new Load('slow', { backend: slow, nodes: 2 }, random, store, witness),
  ...(isFaulty ? [new Load('faulty', { backend: faulty, nodes: 3 }, random, store, witness)] : []),
];
process.on('unhandledRejection', (error) => witness.error('an unhandled rejection', String(error)));
process.on('uncaughtException', (error) => witness.error('an uncaught exception', error.stack));

const delay = monitorEventLoopDelay({ resolution: 1 });
const samples: HeapSample[] = [];
const startedAt = performance.now();
const elapsed = (): number => performance.now() - startedAt;

function heapNow(): number {
  gc?.();
  return process.memoryUsage().heapUsed;
}

const ms = (nanoseconds: number): string => `${(nanoseconds / 1e6).toFixed(1)} ms`;
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const total = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);

function progress(): void {
  const heap = mib(samples.at(-1)?.bytes ?? 0);
  console.log(
    `${(elapsed() / 1_000).toFixed(0).padStart(4)} s  ${witness.operations} operations, ${witness.starts} starts, ` +
      `${total(witness.stops)} stops, ${witness.lateEffects} late effects, heap ${heap}, delay p99 ${ms(delay.percentile(99))}`,
  );
}

console.log(`soak: ${seconds} s, seed ${seed}, ${loads.length} ledgers`);
const unloadedBytes = heapNow();
delay.enable();
const running = Promise.all(loads.map((load) => load.run(USERS)));
const ticks = Math.max(10, Math.min(60, seconds));
for (let tick = 1; tick <= ticks; tick++) {
  await pause((tick * seconds * 1_000) / ticks - elapsed());
  for (const { calls } of [slow, faulty]) calls.length = 0; // kept for tests that are shorter
  delay.disable();
  samples.push({ atMs: elapsed(), bytes: heapNow() });
  delay.enable();
  if (tick % Math.max(1, Math.round(ticks / Math.max(2, seconds / 5))) === 0) progress();
}
faulty.heal();
for (const load of loads) load.stop();
// Somebody who is never answered must be reported, and not hold up the report.
await Promise.race([running, pause(SETTLE_MS)]);
await Promise.all(loads.map((load) => load.settle(SETTLE_MS)));
// An answer that was on its way when the drain ended may still give something back: what counts is what stays.
for (let waited = 0; waited < 1_000 && loads.some(({ held }) => held > 0); waited += 50) await pause(50);
delay.disable();
const drainedBytes = heapNow();

const figures: Figures = {
  operations: witness.operations,
  starts: witness.starts,
  stops: total(witness.stops),
  lateEffects: witness.lateEffects,
  missedCuts: witness.missedCuts,
  endedTwice: witness.endedTwice,
  writes: store.accepted,
  staleAccepted: store.staleAccepted,
  overlaps: store.overlaps,
  tokensReused: store.tokensReused,
  unquiet: loads.reduce((sum, load) => sum + load.unquiet, 0),
  held: loads.reduce((sum, load) => sum + load.held, 0),
  unsettled: witness.unsettled,
  unexpected: witness.unexpected,
  heap: trendOf(samples.filter(({ atMs }) => atMs >= (seconds * 1_000) / 3)),
};
const { heap } = figures;
const byReason = Object.entries(witness.stops).sort(([, a], [, b]) => b - a);
const rows: readonly (readonly [string, string | number])[] = [
  ['operations', `${figures.operations} (${Math.round(figures.operations / seconds)} a second)`],
  ['starts', figures.starts],
  ['effects', witness.effects],
  ['stops', `${figures.stops}: ${byReason.map(([reason, count]) => `${count} ${reason}`).join(', ')}`],
  ['late effects', figures.lateEffects],
  ['missed cuts', figures.missedCuts],
  ['ended twice', figures.endedTwice],
  ['writes', `${figures.writes} accepted, ${store.refused} refused by their token`],
  ['stale writes accepted', figures.staleAccepted],
  ['overlapping sections', figures.overlaps],
  ['tokens that did not rise', figures.tokensReused],
  ['runs not quiet', figures.unquiet],
  ['left after the drain', figures.held],
  ['unsettled promises', figures.unsettled],
  [
    'heap',
    `${mib(unloadedBytes)} before the load, ${mib(heap.startBytes)} at ${(seconds / 3).toFixed(0)} s, ` +
      `${mib(heap.endBytes)} at ${seconds} s, ${mib(drainedBytes)} after the drain`,
  ],
  ['heap trend', `${mib(heap.grownBytes)} over the last two thirds; flat is up to ${mib(HEAP_MARGIN_BYTES)}`],
  ['event-loop delay', `p50 ${ms(delay.percentile(50))}, p99 ${ms(delay.percentile(99))}, max ${ms(delay.max)}`],
  ['seed', seed],
];
console.log();
for (const [name, value] of rows) console.log(`${name.padEnd(26)}${value}`);

const problems = verdictOf(figures);
console.log(problems.length === 0 ? '\nThe soak holds.' : `\nThe soak does not hold:\n${problems.join('\n')}`);
process.exitCode = problems.length === 0 ? 0 : 1;
