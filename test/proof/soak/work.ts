import { isRunAbortedError, type Run } from 'runfence';
import type { Choices } from '../choices.js';
import type { Section, Store } from './store.js';
import { Planned, type Seen, type Witness } from './witness.js';

/** What the work of the load needs. */
export interface Scene {
  readonly random: Choices;
  readonly store: Store;
  readonly witness: Witness;
  /** The place of the next begin among all begins. */
  nextOrder(): number;
  /** Stops the run from inside its own work. */
  stop(run: Run): Promise<unknown>;
}

/** `ms` of real time; rejects at once when the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const aborted = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }, ms);
    signal?.addEventListener('abort', aborted, { once: true });
  });
}

/** Words that come in real time, from a producer that may ignore its signal. */
export async function* words(random: Choices, signal: AbortSignal | undefined): AsyncGenerator<string> {
  const count = random.between(1, 8);
  for (let word = 0; word < count; word++) {
    yield `word ${word}`;
    if (random.chance(0.6)) await pause(random.between(0, 3), signal);
  }
}

/** The same as a `ReadableStream`. */
export function streamOf(source: AsyncGenerator<string>): ReadableStream<string> {
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await source.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => void (await source.return(undefined)),
  });
}

/** Announces and attaches what runs have besides their work. */
function furnish({ random, store, witness }: Scene, seen: Seen): void {
  const { run } = seen;
  if (random.chance(0.3)) {
    const save = run.epilogue(async ({ token, signal }) => {
      const section = store.enter(run.sessionKey, token, signal);
      await write({ random, store }, section, 8);
    });
    if (random.chance(0.1)) save.release();
  }
  if (random.chance(0.15)) {
    let gone!: () => void;
    const isGone = new Promise<void>((resolve) => {
      gone = resolve;
    });
    run.attach({ name: 'resource', stop: () => setTimeout(gone, random.between(0, 5)), gone: isGone });
  }
  if (random.chance(0.1)) run.defer(() => (random.chance(0.5) ? pause(random.between(0, 3)) : undefined));
  if (random.chance(0.01)) {
    run.defer(() => {
      throw new Planned('a deferred callback');
    });
  }
  // The fence is asked long after the run, too, by whoever kept the function.
  if (random.chance(0.2)) {
    setTimeout(
      run.fence(() => witness.effect(seen)),
      random.between(1, 60),
    );
  }
}

/** One piece of work: some steps of every kind. A stubborn one goes on after it was stopped. */
export async function work(scene: Scene, seen: Seen, depth = 0): Promise<string> {
  const { random, witness } = scene;
  const { run } = seen;
  const emit = run.fence(() => witness.effect(seen));
  const isStubborn = random.chance(0.2);
  const steps = random.between(1, 6);
  furnish(scene, seen);
  for (let step = 0; step < steps; step++) {
    emit();
    try {
      await oneStep(scene, seen, isStubborn, depth);
    } catch (error) {
      if (!isStubborn || !isRunAbortedError(error)) throw error;
    }
    emit();
  }
  return 'done';
}

async function oneStep(scene: Scene, seen: Seen, isStubborn: boolean, depth: number): Promise<void> {
  const { random, witness } = scene;
  const { run } = seen;
  const kind = random.weighted({ turn: 20, wait: 20, tool: 20, read: 15, commit: 12, child: 5, stop: 2, fail: 2 });
  switch (kind) {
    case 'turn':
      return;
    case 'wait':
      return pause(random.between(0, 4), isStubborn ? undefined : run.signal);
    case 'tool':
      return run.gate(() => tool(scene, seen), { name: 'tool' })();
    case 'read':
      for await (const _ of run.fence(words(random, isStubborn ? undefined : run.signal))) witness.effect(seen);
      return;
    case 'commit':
      return run.commit(async ({ token, lost }) => {
        witness.effect(seen);
        await write(scene, scene.store.enter(run.sessionKey, token, lost), random.chance(0.05) ? 80 : 6);
      });
    case 'child':
      if (depth < 2) await child(scene, seen, depth);
      return;
    case 'stop':
      await witness.track('a stop from inside', scene.stop(run));
      return;
    case 'fail':
      throw new Planned('the work');
  }
}

/** A tool that may ignore its signal for a while. */
async function tool({ random, witness }: Scene, seen: Seen): Promise<void> {
  witness.effect(seen);
  if (random.chance(0.3)) return;
  const isDeaf = random.chance(0.3);
  await pause(random.between(0, isDeaf ? 40 : 5), isDeaf ? undefined : seen.run.signal);
  if (random.chance(0.02)) throw new Planned('a tool');
}

async function write(
  { random, store }: Pick<Scene, 'random' | 'store'>,
  section: Section,
  longestMs: number,
): Promise<void> {
  if (random.chance(0.7)) await pause(random.between(0, longestMs));
  store.write(section);
  store.leave(section);
}

async function child(scene: Scene, { run, node }: Seen, depth: number): Promise<void> {
  const { random, witness } = scene;
  const options = {
    detached: random.chance(0.1),
    whenBusy: random.chance(0.2) ? 'enqueue' : 'concurrent',
    queueTimeoutMs: 20,
    timeoutMs: 40,
  } as const;
  const order = scene.nextOrder();
  const ended = run.child(options, (own) => work(scene, witness.begins(own, node, order, false), depth + 1));
  const heard = witness.track('a child', ended);
  if (random.chance(0.6)) await heard;
}
