import { type LockTimeoutError, memory, type Receipt, type Run, type RunControl } from 'runfence';
import { describe, expect, test } from 'vitest';
import { AsyncBackend } from '../../support/async-backend.js';
import { begin } from '../../support/begin.js';
import { flush } from '../../support/fake-clock.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

interface Write {
  readonly by: string;
  readonly token: number;
}

/** Writes under the run's epilogue. */
function announce(run: Run, writes: Write[], by = 'epilogue'): void {
  run.epilogue(({ token }) => writes.push({ by, token }));
}

async function write(run: Run, writes: Write[], by: string): Promise<void> {
  await run.commit(({ token }) => writes.push({ by, token }));
}

function expectOrder(writes: readonly Write[], order: readonly string[]): void {
  expect(writes.map(({ by }) => by)).toEqual(order);
  const tokens = writes.map(({ token }) => token);
  expect(new Set(tokens).size).toBe(tokens.length);
  expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
}

describe('what an aborted run saves', () => {
  test("comes before the successor's first write, under a token between theirs", async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const old = await begin(control);
    announce(old, writes);
    await write(old, writes, 'old');
    const next = await begin(control);
    await write(next, writes, 'next');
    expectOrder(writes, ['old', 'epilogue', 'next']);
    old.complete();
    next.complete();
  });

  test('gets the reason, and a signal that is not aborted', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const seen: unknown[] = [];
    run.epilogue(({ reason, signal }) => seen.push(reason, signal.aborted));
    await control.abort({ runId: run.id }, { reason: 'policy' });
    expect(seen).toEqual(['policy', false]);
    run.complete();
  });

  test('comes after a critical section in flight, and before the successor, with tokens in that order', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const old = await begin(control);
    announce(old, writes);
    const section = gate();
    const written = old.commit(async ({ token }) => {
      await section.promise;
      writes.push({ by: 'section', token });
    });
    const next = await begin(control);
    const served = write(next, writes, 'next');
    await flush();
    expect(writes).toEqual([]);
    section.open();
    await Promise.all([written, served]);
    expectOrder(writes, ['section', 'epilogue', 'next']);
    old.complete();
    next.complete();
  });

  test('is called after the signals and the events of the cut', async () => {
    const { control } = tracked();
    const order: string[] = [];
    control.on('run:aborted', () => order.push('event'));
    const run = await begin(control);
    run.signal.addEventListener('abort', () => order.push('signal'));
    run.epilogue(() => order.push('epilogue'));
    const aborted = control.abort({ runId: run.id });
    expect(order).toEqual(['signal', 'event', 'epilogue']);
    await aborted;
    run.complete();
  });

  test('is saved step by step, in the order in which it was announced', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const order: string[] = [];
    const tokens = new Set<number>();
    for (const name of ['text', 'tools']) {
      run.epilogue(async ({ token }) => {
        tokens.add(token);
        order.push(`begin ${name}`);
        await flush();
        order.push(`end ${name}`);
      });
    }
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }]);
    expect(order).toEqual(['begin text', 'end text', 'begin tools', 'end tools']);
    expect(tokens.size).toBe(1);
  });

  test.each(['complete', 'fail'] as const)('is not asked for by %s', async (end) => {
    const { control } = tracked();
    const run = await begin(control);
    run.epilogue(() => expect.unreachable());
    run[end](undefined);
    await flush();
    expect(await control.locks.holder('s')).toBeUndefined();
  });

  test('of several runs comes in the order of the cuts', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const runs: Run[] = [];
    for (const name of ['a', 'b', 'c']) {
      const run = await begin(control, { whenBusy: 'concurrent' });
      announce(run, writes, name);
      runs.push(run);
    }
    const [a, b, c] = runs as [Run, Run, Run];
    const grant = await control.locks.acquire('s');
    await control.abort({ runId: b.id });
    const next = await begin(control);
    const served = write(next, writes, 'next');
    grant.release();
    await served;
    expectOrder(writes, ['b', 'a', 'c', 'next']);
    for (const run of [a, b, c, next]) run.complete();
  });

  test('of each of two takeovers in a row comes before the first write of the last run', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const [first, second] = [await begin(control), await begin(control, { whenBusy: 'concurrent' })];
    announce(first, writes, 'first');
    await control.abort({ runId: first.id });
    announce(second, writes, 'second');
    const last = await begin(control);
    await write(last, writes, 'last');
    expectOrder(writes, ['first', 'second', 'last']);
    for (const run of [first, second, last]) run.complete();
  });

  test('comes before who waited for the lock already at the cut', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const [old, other] = [await begin(control), await begin(control, { whenBusy: 'concurrent' })];
    announce(old, writes);
    await control.locks.acquire('s', { holder: old });
    const served = write(other, writes, 'other');
    await control.abort({ runId: old.id });
    await served;
    expectOrder(writes, ['epilogue', 'other']);
    old.complete();
    other.complete();
  });

  test('is waited for by a drain', async () => {
    const { control } = tracked();
    const reasons: string[] = [];
    void control.run({ sessionKey: 's' }, (run) => {
      run.epilogue(async ({ reason }) => {
        await flush();
        reasons.push(reason);
      });
      return untilCut(run);
    });
    expect((await control.drain({ graceMs: 0 })).runs).toMatchObject([{ epilogue: 'done' }]);
    expect(reasons).toEqual(['shutdown']);
  });

  test('of a parent and its child comes once each', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const parent = await begin(control);
    announce(parent, writes, 'parent');
    void parent.child({}, (child) => {
      announce(child, writes, 'child');
      return untilCut(child);
    });
    const receipt = await control.abort({ runId: parent.id });
    parent.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }, { epilogue: 'done' }]);
    expectOrder(writes, ['parent', 'child']);
  });
});

describe("the successor's work is called in the tick of the takeover", () => {
  const cases: readonly [string, (run: Run, hang: Promise<void>) => void][] = [
    ['with an epilogue', (run) => run.epilogue(() => {})],
    ['with an epilogue that hangs', (run, hang) => run.epilogue(() => hang)],
    [
      'with an epilogue that hangs, behind a section that hangs',
      (run, hang) => {
        run.epilogue(() => hang);
        void run.commit(() => hang).catch(() => {});
      },
    ],
  ];

  test.each(cases)('%s; its first grant comes at the latest after writeGraceMs and epilogueMs', async (_, prepare) => {
    const { control, clock } = tracked();
    const old = await begin(control);
    const hang = gate();
    prepare(old, hang.promise);
    let isCalled = false;
    const next = control.run({ sessionKey: 's' }, (run) => {
      isCalled = true;
      return run.commit(({ token }) => token);
    });
    expect(isCalled).toBe(true);
    await clock.advance(5_000 + 1_000);
    expect(await next).toMatchObject({ status: 'completed' });
    expect(await control.locks.holder('s')).toBeUndefined();
    hang.open();
    old.complete();
    await flush();
  });
});

describe('an epilogue that hangs', () => {
  test('is cut at epilogueMs from its grant: its signal fires, it is named, and the successor is served', async () => {
    const { control, clock } = tracked();
    const writes: Write[] = [];
    const old = await begin(control);
    const hang = gate();
    let signal: AbortSignal | undefined;
    old.epilogue((context) => {
      signal = context.signal;
      return hang.promise;
    });
    const grant = await control.locks.acquire('s');
    const receipt = await control.abort({ runId: old.id });
    old.complete();
    const next = await begin(control);
    const served = write(next, writes, 'next');
    await clock.advance(3_000);
    expect(signal).toBeUndefined();
    grant.release();
    await clock.advance(999);
    expect([signal?.aborted, writes.length]).toEqual([false, 0]);
    await clock.advance(1);
    await served;
    expect(signal?.aborted).toBe(true);
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([
      { state: 'leftovers', epilogue: 'timed-out', leftovers: ['epilogue'] },
    ]);
    hang.open();
    await flush();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'quiet', epilogue: 'timed-out' }]);
    next.complete();
  });

  test('starts no further step', async () => {
    const { control, clock } = tracked({ defaults: { epilogueMs: 10 } });
    const run = await begin(control);
    const hang = gate();
    run.epilogue(() => hang.promise);
    run.epilogue(() => expect.unreachable());
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    await clock.advance(10);
    hang.open();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'timed-out' }]);
  });

  test('is the holder that LOCK_TIMEOUT names', async () => {
    const { control } = tracked();
    const old = await begin(control);
    const hang = gate<number>();
    let token = 0;
    old.epilogue((context) => {
      token = context.token;
      return hang.promise;
    });
    const next = await begin(control);
    const error = await next.commit(() => {}, { timeoutMs: 0 }).catch((caught: LockTimeoutError) => caught);
    expect(error).toMatchObject({ code: 'LOCK_TIMEOUT', holder: { runId: old.id, token } });
    hang.open(0);
    old.complete();
    next.complete();
    await flush();
  });
});

test('an epilogue that ends because its signal fired tells nobody', async () => {
  const { control, clock, errors } = tracked();
  const run = await begin(control);
  run.epilogue(
    ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  const receipt = await control.abort({ runId: run.id });
  run.complete();
  await clock.advance(1_000);
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true, runs: [{ epilogue: 'timed-out' }] });
  expect(errors).toEqual([]);
});

describe('an epilogue that fails', () => {
  const failure = new Error('disk full');
  const ways: readonly [string, () => unknown][] = [
    [
      'throws',
      () => {
        throw failure;
      },
    ],
    ['rejects', () => Promise.reject(failure)],
  ];

  test.each(ways)('%s: it is told and reported, and the next step still runs', async (_, fail) => {
    const { control, errors } = tracked();
    const run = await begin(control);
    const saved: string[] = [];
    run.epilogue(fail);
    run.epilogue(() => saved.push('second'));
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'failed', error: failure }]);
    expect(errors).toEqual([failure]);
    expect(saved).toEqual(['second']);
    expect(await control.locks.holder('s')).toBeUndefined();
  });
});

describe('an epilogue that never runs', () => {
  test('of a run that was queued is skipped', async () => {
    const { control } = tracked();
    const first = await begin(control);
    const queued = await control.runs.begin({ sessionKey: 's', whenBusy: 'enqueue' });
    if (queued.status !== 'queued') throw new Error(queued.status);
    queued.run.epilogue(() => expect.unreachable());
    const receipt = await control.abort({ runId: queued.run.id });
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'skipped' }]);
    first.complete();
  });

  test('cannot be announced after the cut, or after the end', async () => {
    const { control } = tracked();
    const [cut, ended] = [await begin(control), await begin(control, { sessionKey: 't' })];
    await control.abort({ runId: cut.id });
    expect(() => cut.epilogue(() => {})).toThrow(expect.objectContaining({ code: 'RUN_ABORTED' }));
    ended.complete();
    expect(() => ended.epilogue(() => {})).toThrow(expect.objectContaining({ code: 'RUN_ENDED' }));
    cut.complete();
  });

  test.each([
    [5, {}],
    [() => {}, { name: '' }],
    [() => {}, { title: 'x' }],
  ])('cannot be announced with wrong options (%#)', async (save, options) => {
    const { control } = tracked();
    const run = await begin(control);
    expect(() => run.epilogue(save as () => void, options as object)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
    run.complete();
  });
});

describe('an abort from inside', () => {
  test('the epilogue finds its run stopped, and deadlocks nothing', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const results: string[] = [];
    run.epilogue(async () => {
      results.push((await control.abort({ sessionKey: 's' })).result);
      results.push((await control.abort({ runId: run.id })).result);
    });
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'done' }]);
    expect(results).toEqual(['nothing-running', 'already-ended']);
  });

  test('the epilogue that stops its successor leaves both with their own', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const old = await begin(control);
    old.epilogue(async ({ token }) => {
      await flush();
      await control.abort({ sessionKey: 's' });
      writes.push({ by: 'old', token });
    });
    const next = await begin(control);
    announce(next, writes, 'next');
    await flush();
    await flush();
    expect(next.isCurrent()).toBe(false);
    expectOrder(writes, ['old', 'next']);
    old.complete();
    next.complete();
  });

  test('the epilogue that waits for its own quiet is cut at its bound', async () => {
    const { control, clock } = tracked();
    const run = await begin(control);
    const known = gate<Receipt>();
    run.epilogue(async () => (await known.promise).whenQuiet());
    const receipt = await control.abort({ runId: run.id });
    known.open(receipt);
    run.complete();
    await flush();
    await clock.advance(1_000);
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ epilogue: 'timed-out' }]);
    expect(await control.locks.holder('s')).toBeUndefined();
    await clock.advance(4_000);
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test('a section, with an epilogue announced, saves after the section', async () => {
    const { control } = tracked();
    const writes: Write[] = [];
    const run = await begin(control);
    announce(run, writes);
    await run.commit(async ({ token }) => {
      await control.abort({ runId: run.id });
      writes.push({ by: 'section', token });
    });
    await flush();
    expectOrder(writes, ['section', 'epilogue']);
    run.complete();
  });
});

test('a second abort does not save twice', async () => {
  const { control } = tracked();
  const writes: Write[] = [];
  const run = await begin(control);
  announce(run, writes);
  await control.abort({ runId: run.id });
  await control.abort({ sessionKey: 's' });
  run.complete();
  await flush();
  expect(writes).toHaveLength(1);
});

test('its grant is told as one of its run, by events that show it', async () => {
  const { control } = tracked();
  const seen: unknown[] = [];
  const run = await begin(control);
  let token = 0;
  run.epilogue((context) => {
    token = context.token;
  });
  for (const event of ['lock:granted', 'lock:released'] as const) {
    control.on(event, (told) => {
      void control.locks.holder('s').then((holder) => seen.push([event, told, holder?.token]));
    });
  }
  await control.abort({ runId: run.id });
  run.complete();
  await flush();
  const told = { sessionKey: 's', token, runId: run.id };
  expect(seen).toEqual([
    ['lock:granted', told, token],
    ['lock:released', told, undefined],
  ]);
});

describe('on a backend that answers late', () => {
  test('the stop is recorded before the epilogue runs', async () => {
    const async = new AsyncBackend();
    const { control } = tracked({ backend: async.backend });
    const writes: Write[] = [];
    const old = await begin(control);
    announce(old, writes);
    async.hold('stop');
    const aborted = control.abort({ runId: old.id });
    await flush();
    expect(writes).toEqual([]);
    async.letGo('stop');
    await aborted;
    const next = await begin(control);
    await write(next, writes, 'next');
    expectOrder(writes, ['epilogue', 'next']);
    old.complete();
    next.complete();
    await flush();
  });

  test('a stop that fails skips it, and the lock goes to the successor', async () => {
    const async = new AsyncBackend();
    const { control } = tracked({ backend: async.backend });
    const old = await begin(control);
    old.epilogue(() => expect.unreachable());
    async.failNext('stop');
    const receipt = await control.abort({ runId: old.id });
    old.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'skipped' }]);
    const next = await begin(control);
    expect(await next.commit(() => 'written')).toBe('written');
    next.complete();
    await flush();
  });

  test.each(['before', 'after'] as const)(
    'a stop whose answer comes too late leaves no reservation behind (%s)',
    async (when) => {
      const async = new AsyncBackend();
      const { control, clock } = tracked({ backend: async.backend });
      const old = await begin(control);
      const stuck = old.attach({ name: 'stuck', stop: () => new Promise(() => {}) });
      old.epilogue(() => expect.unreachable());
      async.hold('stop', when);
      const aborted = control.abort({ sessionKey: 's' });
      await clock.advance(2_000);
      expect((await aborted).recorded).toBe('unreachable');
      async.letGo('stop');
      await flush();
      const next = await begin(control, { whenBusy: 'concurrent' });
      const served = next.commit(() => 'written');
      await clock.advance(100);
      expect(await served).toBe('written');
      stuck.release();
      old.complete();
      next.complete();
      await flush();
    },
  );

  test.each(['before', 'after'] as const)(
    'a takeover whose claim is not answered in time saves once, and leaves no reservation behind (%s)',
    async (when) => {
      const async = new AsyncBackend();
      const { control, clock } = tracked({ backend: async.backend });
      const writes: Write[] = [];
      const old = await begin(control);
      const stuck = old.attach({ name: 'stuck', stop: () => new Promise(() => {}) });
      announce(old, writes);
      async.hold('claim', when);
      const refused = expect(begin(control)).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
      await clock.advance(2_000);
      await refused;
      async.letGo('claim');
      await clock.advance(100);
      expect(old.isCurrent()).toBe(false);
      const next = await begin(control, { whenBusy: 'concurrent' });
      const served = write(next, writes, 'next');
      await clock.advance(100);
      await served;
      expectOrder(writes, ['epilogue', 'next']);
      stuck.release();
      old.complete();
      next.complete();
      await flush();
    },
  );

  test('a lock that fails is told, and its reservation does not stand in the way', async () => {
    const async = new AsyncBackend();
    const { control, clock, errors } = tracked({ backend: async.backend });
    const old = await begin(control);
    const stuck = old.attach({ name: 'stuck', stop: () => new Promise(() => {}) });
    old.epilogue(() => expect.unreachable());
    async.failNext('lock');
    const receipt = await control.abort({ runId: old.id });
    await flush();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ epilogue: 'failed' }]);
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
    const next = await begin(control);
    const served = next.commit(() => 'written');
    await clock.advance(100);
    expect(await served).toBe('written');
    stuck.release();
    old.complete();
    next.complete();
    await flush();
  });

  test('a later cut whose stop is recorded first does not wait for the earlier one, nor it for that', async () => {
    const async = new AsyncBackend();
    const { control, clock } = tracked({ backend: async.backend });
    const writes: Write[] = [];
    const [parent, rival] = [await begin(control), await begin(control, { whenBusy: 'concurrent' })];
    announce(parent, writes, 'parent');
    announce(rival, writes, 'rival');
    // The line of the session is busy, so that the claim of the child's takeover is not sent yet.
    async.hold('lock');
    const busy = control.locks.acquire('s');
    const child = parent.child({ whenBusy: 'interrupt' }, async () => {});
    expect(rival.isCurrent()).toBe(false);
    const aborted = control.abort({ runId: parent.id });
    async.letGo('lock');
    (await busy).release();
    await aborted;
    await child;
    await clock.advance(200);
    expect(writes.map(({ by }) => by).sort()).toEqual(['parent', 'rival']);
    parent.complete();
    rival.complete();
    await flush();
  });
});

describe('a takeover by another node', () => {
  function nodes(): { old: AsyncBackend; a: RunControl; b: RunControl } {
    const backend = memory();
    const old = new AsyncBackend(backend);
    return { old, a: tracked({ backend: old.backend }).control, b: tracked({ backend }).control };
  }

  test("saves before the successor's first write", async () => {
    const backend = memory();
    const [a, b] = [tracked({ backend }).control, tracked({ backend }).control];
    const writes: Write[] = [];
    const old = await begin(a);
    announce(old, writes);
    await write(old, writes, 'old');
    const next = await begin(b);
    await write(next, writes, 'next');
    expectOrder(writes, ['old', 'epilogue', 'next']);
    old.complete();
    next.complete();
  });

  test('finds the idle grant of the old run free', async () => {
    const backend = memory();
    const [a, b] = [tracked({ backend }).control, tracked({ backend }).control];
    const old = await begin(a);
    const grant = await a.locks.acquire('s', { holder: old });
    const next = await begin(b);
    expect(await next.commit(({ token }) => token, { timeoutMs: 0 })).toBeGreaterThan(grant.token);
    expect(grant.lost.reason).toMatchObject({ reason: 'superseded' });
    old.complete();
    next.complete();
  });

  test('waits for the section in flight on the old node', async () => {
    const backend = memory();
    const [a, b] = [tracked({ backend }).control, tracked({ backend }).control];
    const writes: Write[] = [];
    const old = await begin(a);
    announce(old, writes);
    const section = gate();
    const written = old.commit(async ({ token }) => {
      await section.promise;
      writes.push({ by: 'section', token });
    });
    const next = await begin(b);
    const served = write(next, writes, 'next');
    section.open();
    await Promise.all([written, served]);
    expectOrder(writes, ['section', 'epilogue', 'next']);
    old.complete();
    next.complete();
  });

  test('skips an epilogue that a grant of the successor came before', async () => {
    const { old: backend, a, b } = nodes();
    const writes: Write[] = [];
    const old = await begin(a);
    announce(old, writes);
    backend.hold('stop');
    const next = await begin(b);
    await write(next, writes, 'next');
    backend.letGo('stop');
    await flush();
    const receipt = await a.abort({ runId: old.id });
    old.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'skipped' }]);
    expectOrder(writes, ['next']);
    next.complete();
    await flush();
  });

  test('runs an epilogue that was recorded before the first grant of the successor', async () => {
    const { old: backend, a, b } = nodes();
    const writes: Write[] = [];
    const old = await begin(a);
    announce(old, writes);
    backend.hold('stop');
    const next = await begin(b);
    backend.letGo('stop');
    await flush();
    await write(next, writes, 'next');
    expectOrder(writes, ['epilogue', 'next']);
    old.complete();
    next.complete();
    await flush();
  });
});
