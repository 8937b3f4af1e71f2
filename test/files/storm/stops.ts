import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { removeBundles } from '../support/processes.js';
import { PHASES, type Phase, stopStorm } from './stops/storm.js';
import { FAULTS, type Fault, type Witness } from './stops/witness.js';

/** `npm run storm:stops -- --rounds 1000 --seed 1`: so many stops and so many takeovers in each phase, between two processes. */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    lanes: { type: 'string', default: '20' },
    phases: { type: 'string', default: PHASES.join(',') },
    dir: { type: 'string' },
  },
});
const [rounds, seed, lanes] = [Number(values.rounds), Number(values.seed), Number(values.lanes)];
const phases = values.phases.split(',') as Phase[];
if (![rounds, seed, lanes].every(Number.isSafeInteger) || rounds < 1 || lanes < 1) {
  throw new Error('--rounds, --seed and --lanes must be numbers.');
}
const unknown = phases.find((phase) => !(PHASES as readonly Phase[]).includes(phase));
if (unknown !== undefined) throw new Error(`there is no phase "${unknown}": use ${PHASES.join(', ')}.`);

const dir = mkdtempSync(join(values.dir ?? tmpdir(), 'runfence-stops-'));
try {
  console.log(`seed ${seed}`);
  const witness = await stopStorm({ dir, rounds, seed, lanes, phases, progress: console.log });
  report(witness);
  if (witness.total > 0) process.exitCode = 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
  removeBundles();
}

function report({ counts, faults, latencies, errors }: Witness): void {
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (part: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * part)] ?? 0);
  console.log(`\n${[...counts].map(([what, count]) => `${what}: ${count}`).join('\n')}`);
  console.log(`acknowledgement to signal: median ${at(0.5)} ms, 99 % ${at(0.99)} ms, longest ${at(1)} ms\n`);
  const common = [...errors].sort(([, a], [, b]) => b - a).slice(0, 10);
  for (const [error, count] of common) console.log(`${count} x ${error}`);
  for (const [fault, texts] of faults) {
    console.log(`${String(texts.length).padStart(5)}  ${FAULTS[fault as Fault]}`);
    for (const text of texts.slice(0, 8)) console.log(`         ${text}`);
  }
}
