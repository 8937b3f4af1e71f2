import type { Backend, Clock } from 'runfence';
import type { Points } from './points.js';

const METHODS = [
  'claim',
  'stop',
  'stopEverywhere',
  'end',
  'announce',
  'check',
  'lock',
  'unlock',
  'readSession',
  'readRun',
  'readNode',
  'readActive',
  'readStops',
  'forget',
  'close',
] as const;
type Call = (...args: unknown[]) => unknown;

/** Every call of the port is a point, and so is the end of the subscription. */
export function pointedBackend(points: Points, backend: Backend): Backend {
  const methods = METHODS.map((name) => [name, points.around(`backend.${name}`, callOf(backend, name))]);
  return {
    ...(Object.fromEntries(methods) as Omit<Backend, 'scope' | 'synchronous' | 'subscribe'>),
    scope: backend.scope,
    synchronous: backend.synchronous,
    subscribe: (nodeId, notices) => points.around('unsubscribe', backend.subscribe(nodeId, notices)),
  };
}

/** The same, answered a tick later: one tick on the way there, one on the way back. Taking effect is a point, too. */
export function answeringLater(points: Points, backend: Backend): Backend {
  const methods = METHODS.map((name) => {
    const act = points.around(`backend.${name} takes effect`, callOf(backend, name));
    return [
      name,
      async (...args: unknown[]) => {
        await Promise.resolve();
        const answer = act(...args);
        await Promise.resolve();
        return answer;
      },
    ];
  });
  return {
    ...(Object.fromEntries(methods) as unknown as Omit<Backend, 'scope' | 'synchronous' | 'subscribe'>),
    scope: backend.scope,
    synchronous: false,
    subscribe: (nodeId, notices) => backend.subscribe(nodeId, notices),
  };
}

function callOf(backend: Backend, name: (typeof METHODS)[number]): Call {
  return (...args) => (backend[name] as Call)(...args);
}

/** Every reading of the clock, every timer that is set or taken back, and every one that fires. */
export function pointedClock(points: Points, clock: Clock): Clock {
  return {
    now: points.around('clock.now', () => clock.now()),
    monotonic: points.around('clock.monotonic', () => clock.monotonic()),
    setTimeout: points.around('clock.setTimeout', (callback: () => void, ms: number) =>
      clock.setTimeout(points.around('timer fires', callback), ms),
    ),
    clearTimeout: points.around('clock.clearTimeout', (handle: unknown) => clock.clearTimeout(handle)),
  };
}

/** An iterator whose every pull, and its return, is a point. */
export function pointedSource<T>(points: Points, name: string, source: AsyncIterator<T>): AsyncIterableIterator<T> {
  const proxy: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => proxy,
    next: points.around(`${name}.next`, () => source.next()),
    return: points.around(`${name}.return`, async () => {
      await source.return?.();
      return { done: true as const, value: undefined };
    }),
  };
  return proxy;
}

/** The same as a stream: its pulls, and its cancel. */
export function pointedStream<T>(points: Points, name: string, source: AsyncIterator<T>): ReadableStream<T> {
  return new ReadableStream<T>(
    {
      pull: points.around(`${name}.pull`, async (controller: ReadableStreamDefaultController<T>) => {
        const { done, value } = await source.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      }),
      cancel: points.around(`${name}.cancel`, async () => {
        await source.return?.();
      }),
    },
    { highWaterMark: 0 },
  );
}
