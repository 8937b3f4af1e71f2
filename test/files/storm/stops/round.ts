import type { Random } from '../../../../src/testing/random.js';
import type { Began, Ended, RunState, Stopped } from './orders.js';
import { Failed, now, pause, type Server } from './server.js';
import type { Witness } from './witness.js';

/** A run that was begun after a stop has lived so long, in ms, when it is looked at. */
const LIVED_MS = 300;

/** What all rounds of a storm share. */
export interface Stage {
  readonly servers: readonly [Server, Server];
  readonly witness: Witness;
  readonly random: Random;
  /** Nobody stands still or dies: nothing may be refused, and nothing is lost. */
  isCalm: boolean;
  /** A stop has arrived by then, in ms after its acknowledgement in which its process was awake. */
  readonly arrivedMs: number;
}

/** One of the sessions, in which one round comes after the other. */
export class Lane {
  readonly stage: Stage;
  readonly session: string;
  #round = 0;

  constructor(stage: Stage, session: string) {
    this.stage = stage;
    this.session = session;
  }

  next(): string {
    this.#round += 1;
    return `${this.session}/${this.#round}`;
  }

  get owner(): { readonly userId: string } {
    return { userId: `user of ${this.session}` };
  }

  /** What a run is that any of the selectors finds. */
  options(more: object = {}): object {
    const { owner, session } = this;
    return { owner, kind: `kind-${session}`, tags: [`tag-${session}`], ...more };
  }

  begin(server: Server, runId: string, more: { completeAfterMs?: number | undefined; options?: object } = {}) {
    const { random } = this.stage;
    const { completeAfterMs, options = this.options() } = more;
    const [unwindMs, saveMs] = [random.below(8), random.below(6)];
    return server.ask({ order: 'begin', session: this.session, runId, options, completeAfterMs, unwindMs, saveMs });
  }

  /** The first commit of a run, as early as it may be. What came in between is no fault of it. */
  async commit(server: Server, runId: string): Promise<boolean> {
    try {
      await server.ask({ order: 'commit', session: this.session, runId });
      return true;
    } catch (error) {
      if (this.stage.isCalm && !isOver(error)) this.stage.witness.fault('stuck', `commit of ${runId}: ${text(error)}`);
      return false;
    }
  }

  /** The runs of the session that are current, in both processes. */
  async current(): Promise<string[]> {
    const { servers } = this.stage;
    const answers = await Promise.all(servers.map((server) => server.ask({ order: 'current', session: this.session })));
    return [...new Set(answers.flatMap(({ runIds }) => runIds))];
  }

  /**
   * Until when what was acknowledged then must have arrived at these servers: a process that stands still hears of it
   * when it goes on, and has no more time for it than one that never stood still.
   */
  async deadline(at: number, servers: readonly Server[] = this.stage.servers): Promise<number> {
    for (;;) {
      const until = Math.max(...servers.map((server) => server.awakeFor(this.stage.arrivedMs, at)));
      if (Number.isFinite(until)) return until;
      await pause(50);
    }
  }

  /** The state of a run once it is not current any more, or its time is over. */
  async settled(server: Server, runId: string, at: number): Promise<RunState & { readonly deadline: number }> {
    for (;;) {
      const state = await server.ask({ order: 'state', runId });
      const deadline = await this.deadline(at, [server]);
      const isOver = !state.isKnown || (!state.isCurrent && state.ended !== undefined);
      if (isOver || now() > deadline + 100) return { ...state, deadline };
      await pause(40);
    }
  }

  /**
   * A run that was to be stopped: whether that arrived, whether everybody says the same of it, and what became of its
   * epilogue. Gives how it ended; `undefined` if it has not.
   */
  async judge(
    owner: Server,
    runId: string,
    began: Began,
    given: {
      readonly at: number;
      readonly mustEnd: boolean;
      readonly mustHaveReason: string | undefined;
      readonly early: Ended | undefined;
      readonly successors: readonly string[];
    },
  ): Promise<Ended | undefined> {
    const { witness } = this.stage;
    const state = await this.settled(owner, runId, given.at);
    if (!state.isKnown) return undefined;
    witness.count('sends', state.sent);
    const { firedAt = 0, lastSentAt, ended, deadline } = state;
    const late = Math.round(Math.max(firedAt, lastSentAt) - given.at);
    if (ended === undefined || state.isCurrent) {
      if (given.mustEnd) witness.fault('missed', `${runId} is current (${state.sent} sends, ${this.about(given.at)})`);
      return undefined;
    }
    if (ended.status === 'aborted') {
      witness.latencies.push(Math.max(0, firedAt - given.at));
      if (given.mustEnd && Math.max(firedAt, lastSentAt) > deadline)
        witness.fault('missed', `${runId} went on for ${late} ms`);
      const isOther = given.mustHaveReason !== undefined && ended.reason !== given.mustHaveReason;
      if (isOther && this.stage.isCalm)
        witness.fault('missed', `${runId} ended as ${ended.reason}, not ${given.mustHaveReason}`);
    }
    const wait = { order: 'wait', runId, ms: 5_000 } as const;
    const [there, here] = await Promise.all([this.#other(owner).ask(wait), owner.ask(wait)]);
    this.#agree(runId, { owner: ended, now: state.now, here }, there, given.early);
    if (ended.reason === 'heartbeat-lost') witness.count('heartbeat-lost');
    if (ended.status === 'aborted' && began.hasEpilogue === true) {
      const { epilogue } = await owner.ask({ order: 'saved', runId, ms: 8_000 });
      const said = epilogue;
      witness.epilogue({ session: this.session, runId, said, successors: given.successors });
    }
    return ended;
  }

  /** A process that could not ask the record has a word of its own. All others have the record's. */
  #agree(
    runId: string,
    own: { readonly owner: Ended; readonly now: Ended; readonly here: Ended },
    there: Ended,
    early: Ended | undefined,
  ): void {
    const { witness, isCalm } = this.stage;
    if (own.here.isConfirmed !== false) {
      witness.agree(runId, { ...own, there, early: early ?? there });
      return;
    }
    witness.count('unconfirmed');
    if (isCalm) witness.fault('outcomes', `${runId}: its process could not ask the record, and nobody was cut off`);
    const isOwn = early?.isConfirmed === false;
    witness.agree(runId, { ...own, early: isOwn ? early : own.owner });
    witness.agree(runId, { there, early: isOwn ? there : (early ?? there) });
  }

  #other(server: Server): Server {
    const [first, second] = this.stage.servers;
    return server === first ? second : first;
  }

  about(at: number): string {
    return `${Math.round(now() - at)} ms after its acknowledgement`;
  }

  /** A run that was begun after a stop: it lives, unless its process stood still. */
  async mustLive(server: Server, runId: string, began: Began, stopped: Stopped): Promise<boolean> {
    const { witness, isCalm } = this.stage;
    // It was said that the backend has not taken it: it may take it later, and whoever is there then is hit.
    const isTaken = stopped.recorded !== 'unreachable';
    if (!isTaken) witness.count('unreachable');
    const told = `${stopped.result} ${stopped.recorded}, ${Math.round(began.calledAt - stopped.at)} ms before its begin`;
    if (began.status !== 'started') {
      if (began.why === 'user' && isTaken) witness.fault('hitLater', `${runId} was refused by a stop (${told})`);
      else if (isCalm) witness.fault('stuck', `${runId} was refused: ${began.status} (${began.why})`);
      return false;
    }
    await pause(Math.max(0, stopped.at + LIVED_MS - now()));
    const state = await server.ask({ order: 'state', runId });
    if (!state.isKnown || state.firedAt === undefined) return true;
    const { reason } = state.now;
    if (isCalm || (reason === 'user' && isTaken)) witness.fault('hitLater', `${runId} (${reason}) by a stop (${told})`);
    return false;
  }
}

/** The run was over before: what a storm is about. */
export function isOver(error: unknown): boolean {
  return error instanceof Failed && /^(RUN_ABORTED|RUN_ENDED|LOCK_LOST)$/.test(error.message);
}

export function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
