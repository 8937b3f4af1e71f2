import type { RunDetails } from 'fast-check';
import type { Command } from './sequence.js';

/** What was done and answered, so that what never happens is seen. */
export class Totals {
  sequences = 0;
  /** Commands that were done, by name. */
  readonly done: Map<string, number> = new Map();
  /** What begins and aborts were answered. */
  readonly answered: Map<string, number> = new Map();

  did(command: string): void {
    add(this.done, command, 1);
  }

  /** An answer starts with its kind; a rejection and an error with two words. */
  saw(answer: string): void {
    const words = answer.split(' ');
    add(this.answered, words.slice(0, words[0] === 'rejected' || words[0] === '!' ? 2 : 1).join(' '), 1);
  }

  get commands(): number {
    return [...this.done.values()].reduce((sum, count) => sum + count, 0);
  }

  add(other: Counts): void {
    this.sequences += other.sequences;
    for (const [name, count] of other.done) add(this.done, name, count);
    for (const [answer, count] of other.answered) add(this.answered, answer, count);
  }
}

/** As it is sent from process to process. */
export interface Counts {
  readonly sequences: number;
  readonly done: Iterable<readonly [string, number]>;
  readonly answered: Iterable<readonly [string, number]>;
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

export function summaryOf(seed: number | string, { sequences, commands, done, answered }: Totals): string {
  const mean = sequences === 0 ? 0 : commands / sequences;
  const list = (counts: ReadonlyMap<string, number>): string =>
    [...counts]
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  return [
    `model: seed ${seed}, ${sequences} sequences, ${commands} commands, ${mean.toFixed(1)} a sequence`,
    `  commands: ${list(done)}`,
    `  answers: ${list(answered)}`,
  ].join('\n');
}

/** The shortest sequence that was found, what was seen, and how to see it again. */
export function failureOf(details: RunDetails<[Iterable<Command>]>): string | undefined {
  if (!details.failed) return undefined;
  const { seed, counterexample, counterexamplePath, errorInstance, numShrinks } = details;
  const [commands] = counterexample ?? [];
  const replayPath = /replayPath="([^"]*)"/.exec(String(commands))?.[1];
  const error = errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance);
  return [
    `The model and the library disagree, after ${numShrinks} shrinks:`,
    `  ${String(commands)}`,
    error,
    `Again: npm run test:model -- --seed ${seed} --path ${counterexamplePath} --replay '${replayPath}'`,
  ].join('\n');
}
