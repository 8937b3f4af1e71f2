import type { StoredRun } from '../backend/records.js';
import { tellAll } from '../internal/events.js';
import { announceEnded } from './announce.js';
import type { ManagedRun } from './managed-run.js';
import type { Outcome } from './outcome.js';

/**
 * How far the outcome of a run is. It is told once two things have happened, in either order: its cut or its end has been
 * prepared here, and it was decided how it ended.
 *
 * `open`: neither. `prepared`: the record is still to say how it ended. `decided`: nobody can say otherwise any more.
 * `told`: everybody who waits for it was told.
 */
type Progress = 'open' | 'prepared' | 'decided' | 'told';

/**
 * What the record has said of the run's end.
 *
 * `unheard`: nothing yet. `heard`: how it ended. `presumed`: nothing, and what this node knows was told: another node may
 * have been told otherwise. `unknown`: it has answered, and cannot confirm what was told here.
 */
type Word = 'unheard' | 'heard' | 'presumed' | 'unknown';

/** How a run ended, and who says so. The first result that was recorded wins. */
export class Decision {
  /** Its own result, before the record has said that it stands. */
  ending: 'completed' | 'failed' | undefined = undefined;
  /** What the record says of its stop, where it is another than the cut's. */
  recorded: Pick<StoredRun, 'reason' | 'detail'> | undefined = undefined;
  #progress: Progress = 'open';
  #word: Word = 'unheard';
  #listeners: ((outcome: Outcome) => void)[] | undefined = undefined;

  get isDecided(): boolean {
    return this.#progress === 'decided' || this.#progress === 'told';
  }

  get isTold(): boolean {
    return this.#progress === 'told';
  }

  /** The record has answered about its stop: nothing of it is to be asked or told again. */
  get isConfirmed(): boolean {
    return this.#word === 'heard' || this.#word === 'unknown';
  }

  /** What was told may differ from what other nodes were told. */
  get isUncertain(): boolean {
    return this.#word === 'presumed' || this.#word === 'unknown';
  }

  /** The record has taken its stop. */
  confirm(): void {
    if (this.#word === 'unheard') this.#word = 'heard';
    else if (this.#word === 'presumed') this.#word = 'unknown';
  }

  /** It was cut, and no record was asked for it: none can say otherwise. */
  cutUnasked(): void {
    this.#progress = 'decided';
  }

  /** Its cut, or its end, is done here. */
  prepared(run: ManagedRun): void {
    if (this.#progress === 'open') this.#progress = 'prepared';
    else if (this.#progress === 'decided') this.#tell(run);
  }

  /** Its own result stands, or the reason of its cut. */
  stands(run: ManagedRun): void {
    if (this.isDecided) return;
    if (this.ending !== undefined) {
      run.status = this.ending;
      this.ending = undefined;
    } else if (run.stop === undefined) {
      return;
    }
    if (this.#progress === 'prepared') this.#tell(run);
    else this.#progress = 'decided';
  }

  /** @param stored - as the record has it; `undefined`: it does not know the run any more */
  answered(run: ManagedRun, stored: StoredRun | undefined): void {
    this.confirm();
    if (stored === undefined) {
      this.presume(run);
      return;
    }
    if (this.isDecided) return;
    if (this.ending === undefined) {
      if (run.stop !== undefined) this.recorded = { reason: stored.reason, detail: stored.detail };
      this.stands(run);
    } else if (stored.status === this.ending) {
      this.stands(run);
    } else {
      this.#cut(run, stored);
    }
  }

  /** The record cannot say how it ended: what is known here is told. */
  presume(run: ManagedRun): void {
    if (this.isDecided) return;
    const isOver = this.ending !== undefined || run.stop !== undefined;
    // Without a backend there is nobody who could be told otherwise.
    if (isOver && run.ledger.isShared) this.#word = this.#word === 'unheard' ? 'presumed' : 'unknown';
    if (this.ending === undefined) this.stands(run);
    else this.#cut(run, {});
  }

  onTold(listener: (outcome: Outcome) => void): void {
    this.#listeners ??= [];
    this.#listeners.push(listener);
  }

  offTold(listener: (outcome: Outcome) => void): void {
    const at = this.#listeners?.indexOf(listener) ?? -1;
    if (at >= 0) this.#listeners?.splice(at, 1);
  }

  /** It has ended by itself, and the record has it as stopped, or not at all: it is a run that was cut from now on. */
  #cut(run: ManagedRun, { reason = 'heartbeat-lost', supersededBy, detail }: Partial<StoredRun>): void {
    this.ending = undefined;
    this.#progress = 'open';
    run.status = 'running';
    run.result = undefined;
    run.host.cutRecorded(run, { reason, supersededBy, detail });
  }

  #tell(run: ManagedRun): void {
    this.#progress = 'told';
    announceEnded(run);
    const listeners = this.#listeners;
    if (listeners !== undefined) {
      this.#listeners = undefined;
      tellAll(listeners, run.outcome, run);
    }
    run.told();
  }
}
