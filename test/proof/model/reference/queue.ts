import type { Reference } from '../reference.js';
import type { Run } from './run.js';

/** Who stands in whose way, who waits, and whose turn it is. */
export class Queue {
  /** Queued runs by session, next first. */
  readonly lines: Map<string, Run[]> = new Map();
  readonly #model: Reference;

  constructor(model: Reference) {
    this.#model = model;
  }

  ids(session: string): string[] {
    return (this.lines.get(session) ?? []).map(({ id }) => id);
  }

  /** The others of the session. Its ancestors are not in its way: they may wait for it. */
  #others(run: Run): Run[] {
    const { ancestors } = run;
    return this.#model.inSession(run.session).filter((other) => other !== run && !ancestors.includes(other));
  }

  rivals(run: Run): Run[] {
    return this.#others(run).filter(({ isLive }) => isLive);
  }

  unsettled(run: Run): Run[] {
    return this.#others(run).filter(({ isLive }) => !isLive);
  }

  /** What enqueues waits behind what runs and behind what waits, but not behind runs that wait for its ancestors. */
  isBlocked(run: Run): boolean {
    if (run.spec.whenBusy !== 'enqueue') return false;
    const queue = this.lines.get(run.session) ?? [];
    const place = queue.indexOf(run);
    const before = place < 0 ? queue : queue.slice(0, place);
    if (before.some((other) => !waitsForAncestorOf(other, run))) return true;
    return this.rivals(run).some(({ status }) => status === 'running');
  }

  waitsForQuiet(run: Run): boolean {
    return run.spec.startWhen === 'quiet' && this.unsettled(run).length > 0;
  }

  /** What does not enqueue only waits for quiet, and stands in front. */
  enter(run: Run): void {
    const queue = this.lines.get(run.session) ?? [];
    this.lines.set(run.session, queue);
    const stays = (other: Run): boolean => run.spec.whenBusy === 'enqueue' || other.spec.whenBusy !== 'enqueue';
    queue.splice(queue.filter(stays).length, 0, run);
  }

  leave(run: Run): void {
    const queue = this.lines.get(run.session) ?? [];
    const place = queue.indexOf(run);
    if (place >= 0) queue.splice(place, 1);
    if (queue.length === 0) this.lines.delete(run.session);
    this.#model.time.cancel(run.queueTimeout);
    this.#model.time.cancel(run.quietWait);
  }

  announce(session: string): void {
    this.#model.journal.events.push(`queue:changed ${session} ${this.ids(session).join()}`);
  }

  /** Starts whose turn it is. The wait for quiet is bounded by the grace, from the run's turn on. */
  serve(session: string): void {
    for (const run of [...(this.lines.get(session) ?? [])]) {
      if (!run.isAnnounced || run.status !== 'queued') continue;
      if (this.isBlocked(run)) {
        this.#model.time.cancel(run.quietWait);
        run.quietWait = undefined;
      } else if (this.waitsForQuiet(run)) {
        run.quietWait ??= this.#model.time.after(run.spec.graceMs, () => this.#refuse(run));
      } else {
        this.leave(run);
        this.#model.start(run);
        this.announce(session);
        this.#model.announceStart(run);
        this.#answer(run, 'started');
        this.serve(session);
      }
    }
  }

  #refuse(run: Run): void {
    const leftovers = this.unsettled(run).flatMap((other) => other.leftovers);
    this.#answer(run, `rejected not-quiet ${leftovers.sort().join()}`);
    run.isRefused = true;
    this.#model.ending.cut([run], { reason: 'policy' });
  }

  /** A handle's `started`. Other forms call their work now, or hear of the refusal; their promise is the outcome's. */
  #answer(run: Run, answer: string): void {
    if (run.promise === undefined) return;
    if (answer === 'started' && !run.isHandle) this.#model.time.later(() => this.#model.callWork(run));
    else this.#model.journal.settle(run.promise, answer);
  }
}

/** A run behind others that wait for its own ancestors would wait for itself. */
function waitsForAncestorOf(waiting: Run, run: Run): boolean {
  const own = waiting.ancestors;
  return run.ancestors.some(
    (ancestor) => ancestor.isLive && ancestor.session === waiting.session && !own.includes(ancestor),
  );
}
