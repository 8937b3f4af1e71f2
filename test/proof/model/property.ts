import fc from 'fast-check';
import { abort } from './commands/aborts.js';
import { endLeftover, releaseGrant } from './commands/effects.js';
import { endWork } from './commands/ends.js';
import { commands } from './commands.js';
import { Disagreement } from './compare.js';
import { Reference } from './reference.js';
import { type Command, Sequence } from './sequence.js';
import type { Totals } from './summary.js';
import { type Defect, type LedgerKind, World } from './world.js';

/** How long a sequence is at most. The mean is half of it, less the commands that have nothing to act on: above 100. */
const MOST_COMMANDS = 320;
/** Longer than anything is kept: retention, intents, and stops of whole sessions. */
const FOR_EVER_MS = 400_000;
const LEFTOVERS = ['tool', 'commit', 'epilogue', 'attached'] as const;

export interface Check {
  readonly runs: number;
  readonly seed: number;
  /** Given to replay one failure. */
  readonly path?: string | undefined;
  readonly replayPath?: string | undefined;
  /** `private` if it is not said. */
  readonly ledger?: LedgerKind;
  readonly defect?: Defect;
}

/** Runs random sequences of commands on the model and on the library. */
export function check(options: Check, totals: Totals): Promise<fc.RunDetails<[Iterable<Command>]>> {
  const { runs: numRuns, seed, path, replayPath, defect, ledger = 'private' } = options;
  const sequences = fc.commands(commands(), {
    maxCommands: MOST_COMMANDS,
    size: 'max',
    ...(replayPath === undefined ? {} : { replayPath }),
  });
  const property = fc.asyncProperty(sequences, async (sequence) => {
    totals.sequences += 1;
    await runSequence(sequence as Iterable<Command>, totals, ledger, defect);
  });
  return fc.check(property, { numRuns, seed, ...(path === undefined ? {} : { path }) }) as Promise<
    fc.RunDetails<[Iterable<Command>]>
  >;
}

async function runSequence(
  steps: Iterable<Command>,
  totals: Totals,
  ledger: LedgerKind,
  defect: Defect | undefined,
): Promise<void> {
  const sequence = new Sequence(new Reference(), new World(ledger, defect), totals);
  await fc.asyncModelRun(() => ({ model: sequence, real: {} }), steps);
  await endEverything(sequence);
  nothingLeft(sequence);
}

/** Stops all, lets everything unwind, and waits until nothing is retained. */
async function endEverything(sequence: Sequence): Promise<void> {
  const { model, world, grants } = sequence;
  if (model.phase !== 'closed') {
    abort(sequence, { selector: {}, requester: 'host', reason: 'user', keepQueued: false, intent: false });
    await sequence.check();
  }
  for (let isMore = true; isMore; ) {
    isMore = false;
    for (const label of [...grants.keys()]) isMore = releaseGrant(sequence, label) || isMore;
    await sequence.check();
    for (const type of LEFTOVERS) {
      while (endLeftover(sequence, type, 0, undefined)) {
        isMore = true;
        await sequence.check();
      }
    }
    for (const run of model.runs.filter(({ isWorking }) => isWorking)) {
      isMore = true;
      if (run.isHandle) {
        model.ending.complete(run, 'late');
        world.runs.get(run.label)?.complete('late');
      } else {
        endWork(sequence, run, undefined);
      }
      await sequence.check();
    }
  }
  model.time.advance(FOR_EVER_MS);
  await world.clock.advance(FOR_EVER_MS);
  await sequence.check();
}

function nothingLeft({ model, world }: Sequence): void {
  const open = [...model.journal.open, ...world.journal.open];
  if (open.length > 0)
    throw new Disagreement('promises that never settle', [...model.journal.open], [...world.journal.open]);
  const left = [...model.known.keys(), ...model.queue.lines.keys()];
  if (left.length > 0) throw new Disagreement('the model is not empty', '', left);
  for (const [name, size] of Object.entries(world.control.runs.sizes)) {
    if (size > 0) throw new Disagreement(`what is left of ${name}`, 0, size);
  }
  if (world.clock.pending > 0) throw new Disagreement('timers that are left', 0, world.clock.pending);
}
