import { FakeClock } from 'runfence/testing';
import { expect, test } from 'vitest';

test('an advance inside another does not turn the clock back', async () => {
  const clock = new FakeClock();
  const start = clock.monotonic();
  const wall = clock.now();
  const inner: Promise<void>[] = [];
  clock.setTimeout(() => inner.push(clock.advance(100)), 10);
  await clock.advance(20);
  await Promise.all(inner);
  expect([clock.monotonic() - start, clock.now() - wall]).toEqual([110, 110]);
});

test('an answer that is ready is not late: promises settle before the first timer that is due fires', async () => {
  const clock = new FakeClock();
  const heard: string[] = [];
  const answer = (async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
    heard.push('answer');
  })();
  clock.setTimeout(() => heard.push('bound'), 10);
  await clock.advance(10);
  await answer;
  expect(heard).toEqual(['answer', 'bound']);
});
