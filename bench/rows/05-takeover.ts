import { Effect, FiberMap } from 'effect';
import { type Run, RunRegistry } from 'runfence';
import { NEVER, Observable, Subject, switchMap } from 'rxjs';
import { ratio } from '../harness/figure.js';
import { check, type Row, sink } from '../harness/row.js';
import { begin, keyAt, SESSIONS } from '../harness/sessions.js';

/** A controller a session: the new one is made, the old one aborted with the platform's own reason. */
export function handRolled(): (operations: number) => void {
  const controllers = new Map<string, AbortController>();
  return (operations) => {
    for (let i = 0; i < operations; i++) {
      const key = keyAt(i);
      controllers.get(key)?.abort();
      const controller = new AbortController();
      controllers.set(key, controller);
      sink.value = controller.signal;
    }
  };
}

/** A run a session: each takes over from the one before, whose work unwinds. */
export function takeovers(registry: RunRegistry, use: (run: Run) => unknown): (operations: number) => void {
  const runs: (Run | undefined)[] = new Array(SESSIONS).fill(undefined);
  return (operations) => {
    for (let i = 0; i < operations; i++) {
      const key = keyAt(i);
      const old = runs[i & (SESSIONS - 1)];
      const run = begin(registry, { sessionKey: key, owner: { userId: 'ada' } });
      sink.value = use(run);
      runs[i & (SESSIONS - 1)] = run;
      if (old === undefined) continue;
      if (old.isCurrent() || old.reason !== 'superseded' || !run.isCurrent()) check(false, 'a takeover that cuts');
      old.complete();
      if (old.status !== 'aborted') check(false, 'an old run that is quiet');
    }
  };
}

export const row: Row = {
  title: 'takeover with unwinding, signal not read',
  measure: async (bench) => {
    const registry = new RunRegistry();
    const messages = new Subject<number>();
    const subscription = messages.pipe(switchMap(() => NEVER)).subscribe();
    const stops = new Subject<number>();
    const inner = stops
      .pipe(
        switchMap(
          () =>
            new Observable(() => {
              const controller = new AbortController();
              sink.value = controller.signal;
              return () => controller.abort();
            }),
        ),
      )
      .subscribe();
    const switched = (subject: Subject<number>, operations: number): void => {
      for (let i = 0; i < operations; i++) subject.next(i);
    };
    const forked = (operations: number): Promise<void> =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const fibers = yield* FiberMap.make<string>();
            for (let i = 0; i < operations; i++) yield* FiberMap.run(fibers, keyAt(i), Effect.never);
          }),
        ),
      );
    const [ours, map, rx, rxSignal, fiber] = await bench.compare([
      { name: 'runfence', batch: takeovers(registry, (run) => run) },
      { name: 'abort() + new AbortController', batch: handRolled() },
      { name: 'rxjs switchMap, no signal', batch: (operations) => switched(messages, operations) },
      { name: 'rxjs switchMap, inner abort()', batch: (operations) => switched(stops, operations) },
      { name: 'Effect FiberMap', batch: forked },
    ]);
    subscription.unsubscribe();
    inner.unsubscribe();
    return [
      ratio('against abort()', ours, map, { budget: 0.12, stretch: 0.05 }),
      ratio('against switchMap', ours, rx),
      ratio('against switchMap that aborts', ours, rxSignal),
      ratio('against FiberMap', ours, fiber),
    ];
  },
};
