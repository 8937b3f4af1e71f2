import { createRunControl, type Run } from 'runfence';
import { FakeClock, flush } from 'runfence/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';

class BrokenClock extends FakeClock {
  broken: 'clearTimeout' | 'ref' | undefined = undefined;

  override setTimeout(callback: () => void, ms: number): unknown {
    const handle = super.setTimeout(callback, ms) as { ref(): void; unref(): void };
    const { ref, unref } = handle;
    return Object.assign(handle, {
      ref: () => {
        this.#check('ref');
        ref();
      },
      unref: () => {
        this.#check('ref');
        unref();
      },
    });
  }

  override clearTimeout(handle: unknown): void {
    super.clearTimeout(handle);
    this.#check('clearTimeout');
  }

  #check(name: BrokenClock['broken']): void {
    if (this.broken === name) throw new Error(`${name} is broken`);
  }
}

describe.each(['clearTimeout', 'ref'] as const)('a clock whose %s throws', (name) => {
  let clock: BrokenClock;
  let errors: unknown[];
  let control: ReturnType<typeof createRunControl>;
  let runs: Run[];

  beforeEach(async () => {
    clock = new BrokenClock();
    errors = [];
    control = createRunControl({ clock, onError: (error) => errors.push(error) });
    runs = [];
    for (const sessionKey of ['s', 't']) runs.push(await begin(control, { sessionKey, timeoutMs: 1_000 }));
  });

  afterEach(async () => {
    clock.broken = undefined;
    await control.drain({ graceMs: 0 });
    expect([control.runs.sizes.entries, clock.pending]).toEqual([0, 0]);
  });

  test('does not keep a run from being aborted', async () => {
    const signals = runs.map(({ signal }) => signal);
    clock.broken = name;
    const receipt = await control.abort('all');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    clock.broken = undefined;
    for (const run of runs) run.complete();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test('does not keep a wait for quiet from its answer', async () => {
    const receipt = await control.abort('all');
    const quiet = receipt.whenQuiet({ timeoutMs: 100 });
    await flush();
    clock.broken = name;
    for (const run of runs) run.complete();
    expect(await quiet).toMatchObject({ quiet: true });
  });
});
