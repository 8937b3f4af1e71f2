import { type Run, RunRegistry } from 'runfence';
import { ratio } from '../harness/figure.js';
import { check, type Row } from '../harness/row.js';
import { begin } from '../harness/sessions.js';

function source(count: number): ReadableStream<number> {
  let next = 0;
  return new ReadableStream(
    {
      pull(controller) {
        if (next < count) controller.enqueue(next++);
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

async function read(stream: ReadableStream<number>, count: number): Promise<void> {
  const reader = stream.getReader();
  let seen = 0;
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) seen++;
  check(seen === count, 'every chunk');
}

/** What one writes by hand to cut a stream: every chunk passes through a check. */
function checked(signal: AbortSignal): TransformStream<number, number> {
  return new TransformStream({
    transform(chunk, controller) {
      if (!signal.aborted) controller.enqueue(chunk);
    },
  });
}

export const row: Row = {
  title: 'a fenced ReadableStream, a chunk',
  measure: async (bench) => {
    const registry = new RunRegistry();
    const fenced = async (operations: number): Promise<void> => {
      const run: Run = begin(registry, { sessionKey: 'chat' });
      await read(run.fence(source(operations)), operations);
      check(run.complete(), 'a run that was not cut');
    };
    const piped = async (operations: number): Promise<void> => {
      await read(source(operations).pipeThrough(checked(new AbortController().signal)), operations);
    };
    await cutsInTheMiddle(registry);
    const [ours, raw, pipe] = await bench.compare([
      { name: 'runfence', batch: fenced },
      { name: 'raw reader', batch: (operations) => read(source(operations), operations) },
      { name: 'pipeThrough', batch: piped },
    ]);
    return [
      ratio('against a raw reader', ours, raw, { budget: 2.3, stretch: 1.7 }),
      ratio('against pipeThrough with a check', ours, pipe, { budget: 0.55, stretch: 0.4 }),
    ];
  },
};

async function cutsInTheMiddle(registry: RunRegistry): Promise<void> {
  const run = begin(registry, { sessionKey: 'cut' });
  const reader = run.fence(source(100)).getReader();
  await reader.read();
  await registry.aborts.abort({ runId: run.id });
  const error = await reader.read().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  check(error === run.signal.reason, 'a fence that cuts');
  run.complete();
}
