import type { RunControl, RunView } from 'runfence';
import type { Agent } from 'runfence/agent';
import { GatewayError, gatewayMethod } from 'runfence/gateway';
import type { OpenAITool, ToolContext } from 'runfence/openai';
import { z } from 'zod';
import { ProcessWatch } from './processes.js';

/** What was seen of a run that was stopped. Times are in ms since the stop; what was not seen is not there. */
export interface Timeline {
  readonly runId: string;
  /** When it was stopped, in ms since the epoch. */
  readonly stoppedAt: number;
  /** How long ago that is. */
  readonly elapsedMs: number;
  /** The last words that were let through: before the stop, so below zero. */
  readonly lastTextMs?: number;
  /** When the next turn of its session could begin. */
  readonly lockMs?: number;
  /** When what it had to save was saved, or had failed to be. */
  readonly savedMs?: number;
  readonly quietMs?: number;
  /** Tools that ran when it was stopped. */
  readonly tools: readonly { readonly name: string; readonly callId: string; readonly endedMs?: number }[];
  /** Processes that were there when it was stopped. `by`: the signal that ended it, as far as its handle says. */
  readonly processes: readonly {
    readonly pid: number;
    readonly name: string;
    readonly goneMs?: number;
    readonly by?: string;
  }[];
}

interface Sight {
  stopped?: { readonly at: number; readonly date: number };
  textAt?: number;
  lockAt?: number;
  savedAt?: number;
  quietAt?: number;
  readonly tools: { readonly name: string; readonly callId: string; endedAt?: number }[];
  readonly watches: ProcessWatch[];
  readonly signals: Map<number, string>;
}

/** Remembers of each run what was seen when, for the picture of its stop. */
export class Sights {
  readonly #control: RunControl;
  readonly #runs = new Map<string, Sight>();

  constructor(control: RunControl) {
    this.#control = control;
    const note = (runId: string | undefined, see: (sight: Sight) => void): void => {
      const sight = runId === undefined ? undefined : this.#runs.get(runId);
      if (sight !== undefined) see(sight);
    };
    control.on('run:started', ({ run }) => this.#begin(run));
    control.on('run:aborted', ({ run }) => this.#stopped(run));
    control.on('lock:released', ({ runId }) =>
      note(runId, (sight) => {
        sight.lockAt ??= performance.now();
      }),
    );
    control.on('run:saved', ({ run }) =>
      note(run.runId, (sight) => {
        sight.savedAt ??= performance.now();
      }),
    );
    control.on('run:quiet', ({ run }) =>
      note(run.runId, (sight) => {
        for (const watch of sight.watches) watch.look();
        end(sight);
        sight.quietAt = performance.now();
      }),
    );
    control.on('run:ended', ({ run, status }) => {
      if (status !== 'aborted') this.#forget(run.runId);
    });
    control.on('run:forgotten', ({ run }) => this.#forget(run.runId));
  }

  /** The same agent, whose words are noticed. */
  agent<M>(agent: Agent<M>): Agent<M> {
    return {
      format: agent.format,
      from: (messages) => agent.from(messages),
      to: (messages) => agent.to(messages),
      close: (history, incoming) => agent.close(history, incoming),
      turn: (run, input) =>
        agent.turn(run, {
          history: input.history,
          incoming: input.incoming,
          approve: (call) => input.approve(call),
          beforeUnsafe: () => input.beforeUnsafe(),
          emit: (event) => {
            const isOut = input.emit(event);
            const sight = this.#runs.get(run.id);
            if (isOut && event.type === 'text' && sight !== undefined) sight.textAt = performance.now();
            return isOut;
          },
        }),
    };
  }

  /** The same tool, whose calls and processes are noticed. */
  tool(tool: OpenAITool): OpenAITool {
    const { execute } = tool;
    if (execute === undefined) return tool;
    return {
      ...tool,
      execute: async (input, context) => {
        const sight = this.#runs.get(context.run.id);
        if (sight === undefined) return execute(input, context);
        const call: Sight['tools'][number] = { name: tool.name, callId: context.callId };
        sight.tools.push(call);
        try {
          return await execute(input, seeing(sight, context));
        } finally {
          call.endedAt = performance.now();
        }
      },
    };
  }

  /** `runs.timeline`: for who may read the run. */
  readonly method = gatewayMethod(
    z.object({ runId: z.string().max(1_024) }).parse,
    (
      { runId },
      { requester },
    ): {
      readonly timeline: Timeline | null;
    } => {
      if (this.#control.runs.get(runId, { requester }) === undefined) {
        throw new GatewayError('not_found', 'There is nothing here that you may see.');
      }
      const sight = this.#runs.get(runId);
      return { timeline: sight === undefined ? null : timelineOf(runId, sight) };
    },
  );

  #begin({ runId }: RunView): void {
    this.#forget(runId);
    this.#runs.set(runId, { tools: [], watches: [], signals: new Map() });
  }

  #stopped(run: RunView): void {
    // One that was queued has started nothing.
    if (!this.#runs.has(run.runId)) this.#begin(run);
    const sight = this.#runs.get(run.runId);
    if (sight === undefined || sight.stopped !== undefined) return;
    sight.stopped = { at: performance.now(), date: Date.now() };
    for (const watch of sight.watches) watch.stopped();
  }

  #forget(runId: string): void {
    const sight = this.#runs.get(runId);
    if (sight !== undefined) end(sight);
    this.#runs.delete(runId);
  }
}

/** What a tool tells of its processes is noticed, also after the stop, when no client hears it any more. */
function seeing(sight: Sight, context: ToolContext): ToolContext {
  return {
    run: context.run,
    callId: context.callId,
    key: context.key,
    get signal() {
      return context.signal;
    },
    emit: (name, data) => {
      const { pid, signal } = data as { readonly pid: number; readonly signal?: string };
      if (name === 'process') {
        const watch = new ProcessWatch(pid, 'sh');
        sight.watches.push(watch);
        if (sight.stopped !== undefined) watch.stopped();
      } else if (name === 'exit') {
        if (signal !== undefined) sight.signals.set(pid, signal);
        for (const watch of sight.watches) if (watch.seen.has(pid)) watch.leaderExited();
      }
      return context.emit(name, data);
    },
  };
}

function end(sight: Sight): void {
  for (const watch of sight.watches) watch.end();
}

function timelineOf(runId: string, sight: Sight): Timeline | null {
  const { stopped, tools, watches, signals } = sight;
  if (stopped === undefined) return null;
  /** To a tenth of a ms: more would pretend. */
  const since = (at: number): number => Math.round((at - stopped.at) * 10) / 10;
  /** Of one stop, some events come in the same tick, and before the one that is the zero. */
  const after = (at: number | undefined): number | undefined => (at === undefined ? at : Math.max(at, stopped.at));
  const when = <K extends string>(key: K, at: number | undefined): { readonly [_ in K]?: number } =>
    at === undefined ? {} : ({ [key]: since(at) } as { readonly [_ in K]: number });
  const wasThere = (at: number | undefined): boolean => at === undefined || at >= stopped.at;
  const processes = watches.flatMap(({ seen }) => [...seen.values()]);
  return {
    runId,
    stoppedAt: stopped.date,
    elapsedMs: since(performance.now()),
    ...when('lastTextMs', sight.textAt),
    ...when('lockMs', after(sight.lockAt)),
    ...when('savedMs', after(sight.savedAt)),
    ...when('quietMs', sight.quietAt),
    tools: tools
      .filter(({ endedAt }) => wasThere(endedAt))
      .map(({ name, callId, endedAt }) => ({ name, callId, ...when('endedMs', endedAt) })),
    processes: processes
      .filter(({ goneAt }) => wasThere(goneAt))
      .map(({ pid, name, goneAt }) => {
        const by = signals.get(pid);
        return { pid, name, ...when('goneMs', goneAt), ...(by === undefined ? {} : { by }) };
      }),
  };
}
