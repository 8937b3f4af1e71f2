import { expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';

test('a handle that is finished in a signal listener is quiet only after its abort was told', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const told: string[] = [];
  for (const event of ['run:aborted', 'run:ended', 'run:quiet'] as const) {
    control.on(event, ({ run: { status } }) => told.push(`${event} ${status}`));
  }
  run.signal.addEventListener('abort', () => run.complete());
  await control.abort('all');
  expect(told).toEqual(['run:aborted stopping', 'run:ended stopping', 'run:quiet aborted']);
});

test('what is attached is stopped, also where a signal listener has unwound the work', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const stopped: unknown[] = [];
  run.attach({ name: 'process', stop: (reason) => stopped.push(reason) });
  run.signal.addEventListener('abort', () => run.complete());
  const receipt = await control.abort('all');
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  expect(stopped).toEqual(['user']);
});
