import type { ReadOptions } from '../index.js';
import type { LiveTurn, Words } from './live-turn.js';
import type { RunnerContext } from './runner-context.js';

/**
 * What became of messages for a turn under way. `applied`: the turn has taken them. `kept`: it has not begun, and starts
 * with them. `refused`: it takes none any more, or its agent never does.
 */
export type Offered = 'applied' | 'kept' | 'refused';

/** Offers messages to a turn, in one tick. */
export function offer(context: RunnerContext, turn: LiveTurn, words: Words): Offered {
  if (turn.end !== undefined) return 'refused';
  switch (turn.stage.at) {
    case 'waiting':
      if (!turn.isStored) return 'refused';
      turn.words.push(words);
      return 'kept';
    case 'opening':
      if (!turn.isStored) return 'refused';
      turn.late.push(words);
      return 'kept';
    case 'turning':
      return give(context, turn, words) ? 'applied' : 'refused';
    default:
      return 'refused';
  }
}

function give({ agent, streams, onError }: RunnerContext, turn: LiveTurn, words: Words): boolean {
  const { run, turn: agentTurn } = turn;
  if (agentTurn?.steer === undefined || run?.isCurrent() !== true) return false;
  let messages: readonly unknown[];
  try {
    messages = agent.from(words.messages);
    if (agentTurn.steer(messages) !== true) return false;
  } catch (error) {
    onError(error, turn);
    return false;
  }
  turn.tookWords(words, messages);
  streams.publish(run, { type: 'steered', messages: words.messages });
  return true;
}

/** What came while the turn was opening. What its agent does not take is the next turn's. */
export function giveLate(context: RunnerContext, turn: LiveTurn): void {
  for (const words of turn.late.splice(0)) {
    if (!give(context, turn, words)) context.enqueue(turn, words);
  }
}

/** The turn that takes a message for a session: the newest that runs, and that somebody may steer. */
export function steerable(context: RunnerContext, sessionKey: string, options: ReadOptions): LiveTurn[] {
  const { control, turns } = context;
  const views = control.runs.session(sessionKey).activeRunIds.flatMap((runId) => control.runs.get(runId) ?? []);
  return views
    .filter((view) => view.parentId === undefined && control.may('steer', view, options))
    .sort((a, b) => b.generation - a.generation)
    .flatMap(({ runId }) => turns.get(runId) ?? []);
}

/** The turn that waits in a session, and that takes what is said next. */
export function joinable(context: RunnerContext, sessionKey: string, options: ReadOptions): LiveTurn | undefined {
  const { control, turns } = context;
  const views = control.runs.session(sessionKey).queuedRunIds.flatMap((runId) => control.runs.get(runId) ?? []);
  const last = views.filter((view) => view.parentId === undefined && control.may('steer', view, options)).at(-1);
  const turn = last === undefined ? undefined : turns.get(last.runId);
  return turn?.options.collects === true ? turn : undefined;
}
