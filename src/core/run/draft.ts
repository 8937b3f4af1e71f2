import type { Awaitable } from '../internal/awaitable.js';
import type { EpilogueContext } from '../lock/epilogue.js';
import type { CommitContext } from '../lock/grant.js';
import type { AbortReason } from '../stop/reason.js';
import type { Attached } from './run.js';

/** What a draft is saved with. */
export interface SaveContext {
  /** Goes into the write: the store refuses one that is lower than it has seen. */
  readonly token: number;
  /** Aborted when the write takes longer than it may: what it writes then comes too late. */
  readonly signal: AbortSignal;
  /**
   * `whole`: by `commit()`. `cut`: the run was aborted, and what there is of it is saved. `failed`: its work threw.
   */
  readonly how: 'whole' | 'cut' | 'failed';
  /** Why the run was aborted, for `cut`. */
  readonly reason: AbortReason | undefined;
  /** The host's own word beside the reason, for `cut`. */
  readonly detail: string | undefined;
  /** What its work threw, for `failed`. */
  readonly error: unknown;
  /** The run that took over, for `cut`. */
  readonly supersededBy: string | undefined;
}

/** Saves a draft. It may be called again after it has failed, so it is an upsert. */
export type Save = (context: SaveContext) => unknown;

/** Something that a run saves once: whole, or what there is of it when the run is cut or fails. */
export interface Draft {
  /** `saved`: its save has succeeded, and is not called again. */
  readonly state: 'open' | 'saved';
  /**
   * Saves it whole, under the session's lock.
   *
   * @returns when it is saved; at once if it was saved before
   * @throws what the save throws: the draft stays open
   * @throws as `run.commit`
   */
  commit(): Promise<void>;
}

/** What a draft needs of its run. */
export interface DraftingRun {
  readonly supersededBy: string | undefined;
  savedHow: 'whole' | 'cut' | 'failed' | undefined;
  commit<T>(section: (context: CommitContext) => Awaitable<T>): Promise<T>;
}

export class RunDraft implements Draft {
  readonly #run: DraftingRun;
  readonly #save: Save;
  /** Its epilogue, which is released with the save: an abort may come while that is written. */
  readonly #epilogue: Attached;
  #state: 'open' | 'saved' = 'open';

  /** @param announce - announces what the draft saves when the run is cut */
  constructor(run: DraftingRun, save: Save, announce: (save: (context: EpilogueContext) => unknown) => Attached) {
    this.#run = run;
    this.#save = save;
    this.#epilogue = announce(({ token, signal, reason, detail }) => {
      const { supersededBy } = run;
      return this.#write({ token, signal, how: 'cut', reason, detail, error: undefined, supersededBy });
    });
  }

  get state(): 'open' | 'saved' {
    return this.#state;
  }

  commit(): Promise<void> {
    return this.#commit('whole', undefined);
  }

  saveFailed(error: unknown): Promise<void> {
    return this.#commit('failed', error);
  }

  /** The promise of the run's commit, and none of its own: a refusal by the run's end ends no process if nobody listens. */
  #commit(how: 'whole' | 'failed', error: unknown): Promise<void> {
    if (this.#state === 'saved') return Promise.resolve();
    return this.#run.commit(({ token, lost: signal }) =>
      this.#write({ token, signal, how, reason: undefined, detail: undefined, error, supersededBy: undefined }),
    );
  }

  async #write(context: SaveContext): Promise<void> {
    // Two of them may have waited for the lock.
    if (this.#state === 'saved') return;
    await this.#save(context);
    this.#state = 'saved';
    this.#run.savedHow = context.how;
    this.#epilogue.release();
  }
}
