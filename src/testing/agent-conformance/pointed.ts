import type { Agent, Turn, TurnInput } from '../../agent/index.js';
import type { Run } from '../../index.js';
import type { Points } from './points.js';

/** The agent with a point at each call between it and its run, its input, and its turn. */
export function pointedAgent<M>(points: Points, agent: Agent<M>): Agent<M> {
  return {
    format: agent.format,
    // Pure, so that nothing can land inside them.
    from: (messages) => agent.from(messages),
    to: (messages) => agent.to(messages),
    close: (history, incoming) => agent.close(history, incoming),
    turn: points.around('agent.turn', (run, input) =>
      pointedTurn(points, agent.turn(pointedRun(points, run), pointedInput(points, input))),
    ),
  };
}

function pointedInput<M>(points: Points, input: TurnInput<M>): TurnInput<M> {
  return {
    history: input.history,
    incoming: input.incoming,
    emit: (event) => {
      points.step(`emit ${event.type}: before`);
      const isPublished = input.emit(event);
      // Nobody hears of it in this tick, in which the agent remembers it.
      queueMicrotask(() => points.step(`emit ${event.type}: after`));
      return isPublished;
    },
    approve: points.around('approve', (call) => input.approve(call)),
    beforeUnsafe: points.around('beforeUnsafe', () => input.beforeUnsafe()),
  };
}

function pointedTurn<M>(points: Points, turn: Turn<M>): Turn<M> {
  return {
    done: points.around('turn.done', () => turn.done)(),
    snapshot: (cut) => turn.snapshot(cut),
    ...(turn.steer === undefined ? {} : { steer: (messages) => turn.steer?.(messages) === true }),
  };
}

/** Every use of the run is a point; a source behind its fence has one at each pull, a gated function at each call. */
function pointedRun(points: Points, run: Run): Run {
  return new Proxy(run, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof key !== 'string') return value;
      if (typeof value !== 'function') {
        points.step(`run.${key}`);
        return value;
      }
      const method = points.around(`run.${key}`, (...args: unknown[]) => Reflect.apply(value, target, args) as unknown);
      return (...args: unknown[]) => {
        const answer = method(...args);
        if (typeof answer === 'function')
          return points.around(
            `run.${key}'s function`,
            (...given: unknown[]) => Reflect.apply(answer, undefined, given) as unknown,
          );
        return isIterator(answer) ? pointedIterator(points, answer) : answer;
      };
    },
  });
}

function pointedIterator<T>(points: Points, source: AsyncIterableIterator<T>): AsyncIterableIterator<T> {
  const pointed: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => pointed,
    next: points.around('the fenced source', () => source.next()),
    return: async (value) => (await source.return?.(value)) ?? { done: true, value: undefined },
  };
  return pointed;
}

function isIterator(value: unknown): value is AsyncIterableIterator<unknown> {
  return typeof value === 'object' && value !== null && 'next' in value && Symbol.asyncIterator in value;
}
