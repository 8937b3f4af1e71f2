import { isRunfenceError, type Run } from 'runfence';
import type { Cast } from './cast.js';
import type { Node } from './nodes.js';

/** Ends a run by itself, or the caller's signal of any. */
export function finish(cast: Cast, run: Run): void {
  const roll = cast.random.below(4);
  if (roll === 0) run.fail(new Error('failed'));
  else if (roll === 1) cast.random.oneOf(cast.upstream)?.abort();
  else run.complete('done');
}

export function commit(cast: Cast, run: Run): void {
  const { random, world } = cast;
  const ms = random.chance(0.1) ? 20_000 : random.below(200);
  const written = run.commit(({ token }) => world.watch.during('section', run, token, () => cast.time(ms)), {
    timeoutMs: random.below(10_000),
  });
  cast.note(`commit of ${run.id}`, written);
}

export function announceEpilogue(cast: Cast, run: Run): void {
  const { random, world } = cast;
  const ms = random.chance(0.1) ? 20_000 : random.below(200);
  try {
    run.epilogue(({ token }) => world.watch.during('epilogue', run, token, () => cast.time(ms)));
    world.watch.announced(run);
  } catch (error) {
    if (!isRunfenceError(error)) throw error;
  }
}

export function acquire(cast: Cast, node: Node, run: Run): void {
  const { random } = cast;
  const holder = cast.runs.get(run) === node && random.chance(0.5) ? { holder: run } : {};
  const acquired = node.control.locks.acquire(run.sessionKey, { ...holder, timeoutMs: random.below(5_000) });
  void cast.pending.note('acquire', acquired).then(async (grant) => {
    if (grant === undefined) return;
    cast.grants.add(grant);
    cast.hosted.add(grant.token);
    await cast.time(random.below(500));
    grant.release();
    cast.grants.delete(grant);
  });
}

/** A tool, something attached, or something deferred. */
export function act(cast: Cast, run: Run): void {
  const { random, world } = cast;
  const roll = random.below(3);
  if (roll === 0) {
    const ms = random.below(300);
    const tool = run.gate(() => world.watch.during('tool', run, undefined, () => cast.time(ms)));
    cast.note('gate', tool());
  } else if (roll === 1) run.attach({ name: 'process', stop: () => cast.time(random.below(300)) });
  else run.defer(() => cast.time(random.below(100)));
}

/** Any node may be asked how any run ended. */
export function waitFor(cast: Cast, { control }: Node, { id }: Run): void {
  const { watch } = cast.world;
  void cast.pending.note('wait', control.wait(id)).then((outcome) => {
    if (outcome !== undefined) watch.told(control, id, outcome, 'wait');
  });
}
