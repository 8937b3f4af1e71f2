import type { CommitContext, LockTimeoutError, RunControlOptions } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const kinds: readonly [string, () => Omit<RunControlOptions, 'clock'>][] = [
  ['a private ledger', () => ({})],
  ['memory()', () => ({ backend: memory() })],
  ['a backend that answers late', () => ({ backend: new FaultyBackend() })],
];

describe.each(kinds)('a read, on %s', (_, options) => {
  test('after a takeover sees what the old run was still saving (C37)', async () => {
    const { control } = tracked(options());
    const rows = ['question'];
    const old = await begin(control);
    const saving = gate();
    old.epilogue(async () => {
      await saving.promise;
      rows.push('the partial answer');
    });
    const next = await begin(control);
    const history = next.read(async () => [...rows]);
    await flush();
    saving.open();
    expect(await history).toEqual(['question', 'the partial answer']);
    old.complete();
    next.complete();
    await flush();
  });

  test('that a cut finds reading rejects at once, and the lock is free under it (C38)', async () => {
    const { control } = tracked(options());
    const run = await begin(control);
    const [reading, stuck] = [gate(), gate()];
    let context: CommitContext | undefined;
    const read = run.read((given) => {
      context = given;
      void given.lost;
      reading.open();
      return stuck.promise;
    });
    const refused = expect(read).rejects.toMatchObject({ code: 'RUN_ABORTED', reason: 'user' });
    await reading.promise;
    const receipt = await control.abort({ runId: run.id });
    await refused;
    expect(context?.lost.aborted).toBe(true);
    const next = await begin(control);
    expect(await next.commit(({ token }) => token, { timeoutMs: 1 })).toBeGreaterThan(context?.token ?? 0);
    run.complete();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([
      { state: 'leftovers', leftovers: ['read'], lock: 'released', fencedEffects: 0 },
    ]);
    stuck.open();
    await flush();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).quiet).toBe(true);
    next.complete();
    await flush();
  });

  test('that a cut finds waiting is never called', async () => {
    const { control } = tracked(options());
    const run = await begin(control);
    const grant = await control.locks.acquire('s');
    const refused = expect(run.read(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    await control.abort({ runId: run.id });
    await refused;
    grant.release();
    run.complete();
    await flush();
  });

  test('that aborts its own run in its synchronous part is refused, and holds nothing', async () => {
    const { control } = tracked(options());
    const run = await begin(control);
    const read = run.read(() => {
      void control.abort({ runId: run.id });
      return 'too late';
    });
    await expect(read).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    run.complete();
    await flush();
    expect(await control.locks.holder('s')).toBeUndefined();
  });

  test('frees the lock before its caller goes on', async () => {
    const { control } = tracked(options());
    const run = await begin(control);
    expect(await run.read(({ runId, generation, token }) => [runId, generation, token > 0])).toEqual([
      run.id,
      run.generation,
      true,
    ]);
    await flush();
    expect(await run.commit(() => 'written', { timeoutMs: 1 })).toBe('written');
    run.complete();
    await flush();
  });

  test('that throws gives its own error, and the lock is free', async () => {
    const { control } = tracked(options());
    const run = await begin(control);
    const failure = new Error('no such table');
    await expect(run.read(() => Promise.reject(failure))).rejects.toBe(failure);
    await expect(
      run.read(() => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    await flush();
    expect(await control.locks.holder('s')).toBeUndefined();
    run.complete();
    await flush();
  });

  test('is refused once the run is over, without a word to onError', async () => {
    const { control, errors } = tracked(options());
    const run = await begin(control);
    const grant = await control.locks.acquire('s');
    const waiting = expect(run.read(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ENDED' });
    run.complete();
    await waiting;
    await expect(run.read(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ENDED' });
    grant.release();
    await flush();
    expect(errors).toEqual([]);
  });
});

test('what a read throws after the cut goes to onError, unless it is the abort', async () => {
  const { control, errors } = tracked();
  const run = await begin(control);
  const [first, second] = [gate(), gate()];
  run.read(() => first.promise).catch(() => {});
  await control.abort({ runId: run.id });
  const failure = new Error('the connection broke');
  first.fail(failure);
  run.complete();
  await flush();
  expect(errors).toEqual([failure]);
  const next = await begin(control);
  next.read(() => second.promise).catch(() => {});
  await control.abort({ runId: next.id });
  second.fail(next.signal.reason);
  next.complete();
  await flush();
  expect(errors).toHaveLength(1);
});

test('a read over another node waits for what the old run there is saving', async () => {
  const backend = new FaultyBackend();
  const { control: a, clock } = tracked({ backend });
  const { control: b } = tracked({ backend }, clock);
  const rows: string[] = [];
  const old = await begin(a);
  const saving = gate();
  old.epilogue(async () => {
    await saving.promise;
    rows.push('the partial answer');
  });
  await flush();
  const next = await begin(b);
  const history = next.read(() => [...rows]);
  await flush();
  saving.open();
  for (let i = 0; i < 4; i++) await clock.advance(50);
  expect(await history).toEqual(['the partial answer']);
  old.complete();
  next.complete();
  await flush();
});

test('a read is refused by the backend before the notice of a stop elsewhere arrives', async () => {
  const backend = new FaultyBackend();
  backend.isDeaf = true;
  const { control: deaf } = tracked({ backend });
  const { control: other } = tracked({ backend });
  const run = await begin(deaf);
  const successor = await begin(other);
  await expect(run.read(() => expect.unreachable())).rejects.toMatchObject({ reason: 'superseded' });
  run.complete();
  successor.complete();
  await flush();
});

test('a read in a commit of its run waits for itself, and LOCK_TIMEOUT says so', async () => {
  const { control, clock } = tracked();
  const run = await begin(control);
  const outer = run.commit(() => run.read(() => expect.unreachable()).catch((error: LockTimeoutError) => error));
  await clock.advance(30_000);
  const error = (await outer) as LockTimeoutError;
  expect(error).toMatchObject({ code: 'LOCK_TIMEOUT', holder: { runId: run.id } });
  expect(error.message).toContain('this run itself');
  run.complete();
});

test.each([
  [undefined, {}],
  [() => {}, { timeoutMs: '1' }],
  [() => {}, { waitMs: 1 }],
])('wrong options are refused (%#)', async (reader, options) => {
  const { control } = tracked();
  const run = await begin(control);
  expect(() => run.read(reader as () => void, options as object)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS' }),
  );
  run.complete();
});
