import type { Run } from 'runfence';
import { pointedSource, pointedStream } from './proxies.js';
import { ignore, KEY, STRANGER, type Stage } from './stage.js';

/** What the run in the middle does: a bit of everything, and each next step also after a stop. */
export async function* everything(stage: Stage, run: Run): AsyncGenerator<string> {
  const { points, watch, control } = stage;
  /** Work that ignores its signal: whatever is refused, it goes on and tries the next thing. */
  const attempt = async (name: string, act: () => unknown): Promise<void> => {
    points.step(`work: before ${name}`);
    try {
      await stage.settles(name, Promise.resolve(act()));
    } catch {
      // Refused, and tried: what was not to happen is in the history.
    }
    points.step(`work: after ${name}`);
  };
  const sink = sinkOf(stage, run, 'sink');
  const tool = toolOf(stage, run, 'tool', soon);
  await attempt('announcements', () => announce(stage, run));
  sink();
  strangers(stage);
  yield 'first';
  await attempt('tool', tool);
  await attempt('iterable', async () => {
    for await (const item of run.fence(pointedSource(points, 'iterable', items()))) watch.effect(run, `item ${item}`);
  });
  await attempt('stream', async () => {
    for await (const chunk of run.fence(pointedStream(points, 'readable', items()))) void chunk;
  });
  yield 'second';
  await attempt('child', () =>
    run.child({ kind: 'child' }, (child) =>
      watch.during('work', child, undefined, async () => {
        stage.enlist(child);
        sinkOf(stage, child, 'sink of the child')();
        await toolOf(stage, child, 'tool of the child', soon)();
        points.step('work of the child: after its tool');
      }),
    ),
  );
  await attempt('read', () => run.read(reader(stage, run)));
  await attempt('commit', () => run.commit(section(stage, run, 'section')));
  await attempt('lock', async () => {
    const grant = await points.around('locks.acquire', () => control.locks.acquire(KEY, { holder: run }))();
    // Time passes with the lock in hand: a holder that is cut meanwhile must not keep it until it releases.
    points.step('work: the lock in hand');
    await stage.pause(5);
    points.step('work: the lock in hand, later');
    const waiting = points.around('locks.acquire of the next', () =>
      control.locks.acquire(KEY, { timeoutMs: 2_000 }),
    )();
    await grant.commit(section(stage, run, 'section of the grant')).catch(ignore);
    points.around('grant.release', () => grant.release())();
    const next = await stage.settles('the next holder', waiting);
    points.around('release of the next', () => next.release())();
  });
  sink();
}

async function* items(): AsyncGenerator<string> {
  yield 'a';
  await soon();
  yield 'b';
}

/** What hangs on a run until it is over. */
export function announce(stage: Stage, run: Run): void {
  const { points, watch } = stage;
  run.epilogue(({ token }) => watch.during('epilogue', run, token, points.around('epilogue', soon)), { name: 'draft' });
  let isGone = ignore;
  const gone = new Promise<void>((resolve) => {
    isGone = resolve;
  });
  run.attach({ name: 'process', stop: points.around('attach.stop', async () => isGone()), gone });
  run.attach({ name: 'socket', stop: points.around('attach.stop without gone', soon) });
  run.defer(points.around('defer', soon));
  run.defer(points.around('defer that is first', () => {}));
}

// The watcher notes a call before the stop lands in it: it was made, and what starts in its tick has started.

export function sinkOf({ points, watch }: Stage, run: Run, name: string): () => void {
  const sink = points.around(name, () => {});
  return run.fence(() => {
    watch.effect(run, name);
    sink();
  });
}

export function toolOf(
  { points, watch }: Stage,
  run: Run,
  name: string,
  act: () => Promise<void>,
): () => Promise<void> {
  return run.gate(() => watch.during('tool', run, undefined, points.around(name, act)), { name });
}

export function section(
  { points, watch }: Stage,
  run: Run,
  name: string,
): (context: { readonly token: number }) => Promise<void> {
  const write = points.around(name, async () => {
    await soon();
    points.step(`${name}: goes on`);
  });
  return ({ token }) => watch.during('section', run, token, write);
}

/** What it reads is not written: a stop does not wait for it, and it is no section. */
function reader({ points, watch }: Stage, run: Run): () => Promise<void> {
  const look = points.around('read', async () => {
    await soon();
    points.step('read: goes on');
  });
  return () => watch.during('tool', run, undefined, look);
}

/** A few ticks. */
export async function soon(): Promise<void> {
  for (let i = 0; i < 3; i++) await Promise.resolve();
}

/** What a stranger may not do, of a session that is there and of one that is not. */
function strangers({ control, watch, points }: Stage): void {
  const key = (about: 'present' | 'absent'): string => (about === 'present' ? KEY : 'nowhere');
  const who = { requester: STRANGER };
  const hadLanded = points.hasLanded;
  const isDisturbed = (): boolean => points.hasLanded !== hadLanded;
  void watch.stranger(STRANGER, (about) => control.runs.session(key(about), who).activeRunIds, isDisturbed);
  void watch.stranger(STRANGER, (about) => control.runs.isActive(key(about), who), isDisturbed);
  const abort = async (about: 'present' | 'absent'): Promise<void> => {
    await control.abort({ sessionKey: key(about) }, who);
  };
  void watch.stranger(STRANGER, abort, isDisturbed);
}
