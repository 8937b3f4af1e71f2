import type { Run } from '../index.js';
import type { Turn } from './agent.js';
import type { AgentEvent, Finish } from './event.js';
import type { LiveTurn } from './live-turn.js';
import { open, recordedText } from './opening.js';
import type { Plan } from './plan.js';
import type { RunnerContext } from './runner-context.js';
import { recordOf } from './saving.js';
import { giveLate } from './steering.js';

/** The work of a turn's run: opens it, lets the agent work, and saves the whole. A stop saves what there is by the run's `save`. */
export async function work(context: RunnerContext, turn: LiveTurn, run: Run): Promise<Finish> {
  turn.run = run;
  turn.kind = run.kind;
  try {
    const plan = await open(context, turn, run);
    run.throwIfStale();
    if (plan.kind === 'repeated') return repeated(context, plan, run);
    const started = start(context, turn, run, plan);
    giveLate(context, turn);
    const finish = finishOf(await started.done);
    // An agent that swallows the abort ends as if all were well. Not asked of the run: that would say that the agent has looked.
    if (turn.end !== undefined) return finish;
    turn.stage = { at: 'closing', turn: started };
    if (turn.isStored) await run.draft().commit();
    context.streams.publish(run, { type: 'finish', ...finish });
    return finish;
  } catch (error) {
    if (turn.end === undefined) {
      turn.end = { how: 'failed', reason: undefined };
      context.streams.publish(run, { type: 'error', message: described(context, error) });
    }
    throw error;
  }
}

function start(
  context: RunnerContext,
  turn: LiveTurn,
  run: Run,
  { history, incoming }: Extract<Plan, { kind: 'open' }>,
): Turn<unknown> {
  const { agent, streams, approvals } = context;
  // A turn may emit in the tick of its start, before it is there.
  const isAtWork = (): boolean => turn.stage.at === 'turning' || turn.stage.at === 'opening';
  const emit = (event: AgentEvent): boolean => {
    if (!isAtWork()) return false;
    const seq = streams.publish(run, event);
    if (seq === undefined) return false;
    turn.seq = seq;
    if (event.type === 'tool-start' && (event.effect ?? 'unsafe') === 'unsafe') turn.isUnsafe = true;
    return true;
  };
  const started = agent.turn(run, {
    history,
    incoming,
    emit,
    approve: (call) => approvals.ask(run, call),
    beforeUnsafe: unsafeRecorder(context, turn, run),
  });
  turn.stage = { at: 'turning', turn: started };
  return started;
}

/** Writes once a turn that an unsafe tool is about to start. What has failed is tried again for the next tool. */
function unsafeRecorder(context: RunnerContext, turn: LiveTurn, run: Run): () => Promise<void> {
  let recorded: Promise<void> | undefined;
  const record = async (): Promise<void> => {
    if (turn.isStored) {
      const { history, issuer } = context;
      await run.commit(({ token, lost: signal }) =>
        history.write(turn.sessionKey, { ...recordOf(context, turn, 'open'), unsafe: true }, { token, signal, issuer }),
      );
    }
    // The stop may have landed in the write: then the tool does not start.
    run.throwIfStale();
    turn.isUnsafe = true;
  };
  return async () => {
    run.throwIfStale();
    recorded ??= record();
    try {
      await recorded;
    } catch (error) {
      recorded = undefined;
      throw error;
    }
    run.throwIfStale();
  };
}

/** The host's own words for those who watch, if it has any. */
function described({ describeError, onError }: RunnerContext, error: unknown): string {
  try {
    return String(describeError(error));
  } catch (failure) {
    onError(failure);
    return FAILED;
  }
}

/** It was there before: whoever asks again hears what was recorded, and the model is not asked. */
function repeated(context: RunnerContext, plan: Extract<Plan, { kind: 'repeated' }>, run: Run): Finish {
  const finish: Finish = { reason: 'repeated' };
  const text = recordedText(context, plan);
  if (text !== '') context.streams.publish(run, { type: 'text', text });
  context.streams.publish(run, { type: 'finish', ...finish });
  return finish;
}

export const FAILED = 'The turn has failed.';

const REASONS: readonly unknown[] = ['stop', 'length', 'max-steps', 'client-tools', 'repeated', 'other'];

/** The agent is nobody's trusted object: what it ends with may be anything. */
function finishOf(value: unknown): Finish {
  if (typeof value !== 'object' || value === null) return { reason: 'other' };
  const { reason, usage } = value as Finish;
  return { reason: REASONS.includes(reason) ? reason : 'other', ...(usage === undefined ? {} : { usage }) };
}
