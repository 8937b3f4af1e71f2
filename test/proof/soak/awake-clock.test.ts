import { createRunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { expect, test } from 'vitest';
import { awakeClock } from './awake-clock.js';

function stand(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test('a backend of this process is not late because the event loop stood still, or was slow', async () => {
  const over = memory();
  const answerLater = async <Answer>(act: () => Answer): Promise<Answer> => {
    for (let turn = 0; turn < 4; turn++) {
      await new Promise((done) => setTimeout(done, 1));
      stand(100);
    }
    return act();
  };
  const backend = Object.assign(Object.create(over) as typeof over, {
    synchronous: false,
    claim: (request: Parameters<typeof over.claim>[0]) => answerLater(() => over.claim(request)),
    subscribe: () => () => {},
  });
  for (const method of ['end', 'forget', 'close', 'readSession', 'readStops', 'unlock'] as const) {
    Object.assign(backend, {
      [method]: (...args: never[]) => (over[method] as (...given: never[]) => unknown)(...args),
    });
  }
  const control = createRunControl({ backend, clock: awakeClock, defaults: { backendTimeoutMs: 200 } });
  expect(await control.run({ sessionKey: 's' }, () => 'done')).toMatchObject({ status: 'completed', value: 'done' });
  await control.drain({ graceMs: 0 });
});

test('it goes on, and never back', async () => {
  const from = awakeClock.monotonic();
  let before = from;
  for (let turn = 0; turn < 30; turn++) {
    await new Promise((done) => setTimeout(done, 4));
    const now = awakeClock.monotonic();
    expect(now).toBeGreaterThanOrEqual(before);
    before = now;
  }
  expect(before - from).toBeGreaterThan(90);
});
