import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { END } from '../../support/matchers.js';
import { Feed, fencedEffects, started, streamOf, streamWithoutCancel } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

test('every refused effect is counted once, whatever fence refused it (D8, D14)', async () => {
  const { control } = tracked();
  let told = 0;
  control.on('effect:fenced', () => (told += 1));
  const run = started(control);
  const send = run.fence(() => 'sent');
  const tool = run.gate(() => 'done');
  const feed = new Feed<string>();
  const pull = run.fence(feed).next();
  feed.give('unread');
  const item = await pull;
  void control.abort('all');
  send();
  await Promise.allSettled([tool(), tool(), run.commit(() => 'written'), run.commit(() => 'written')]);
  expect(() => item.value).toThrow();
  expect(() => item.done).toThrow();
  expect(await fencedEffects(control, run)).toBe(6);
  expect(told).toBe(1);
  run.complete();
});

test('what is only asked for after the cut is no effect: pulls, reads, and sources that are told', async () => {
  const { control } = tracked();
  const run = started(control);
  const source = run.fence(new Feed<string>());
  const reader = run.fence(streamOf(new Feed<string>())).getReader();
  void control.abort('all');
  await Promise.allSettled([source.next(), source.next(), reader.read()]);
  expect(() => run.throwIfStale()).toThrow();
  expect(await fencedEffects(control, run)).toBe(0);
  run.complete();
});

test('what its own consumer gave up before the cut is no refused effect', async () => {
  const { control } = tracked();
  const run = started(control);
  const feed = new Feed<string>();
  const source = run.fence(feed);
  const pull = source.next();
  await source.return?.();
  feed.give('not wanted');
  expect(await pull).toEqual(END);
  const chunk = gate<string>();
  const stream = run.fence(streamWithoutCancel(chunk.promise));
  const reader = stream.getReader();
  const reading = reader.read();
  await flush();
  await reader.cancel();
  chunk.open('not wanted');
  expect(await reading).toEqual(END);
  await flush();
  void control.abort('all');
  expect(await fencedEffects(control, run)).toBe(0);
  run.complete();
});

test('a commit that waits for the lock at the cut is refused and counted', async () => {
  const { control } = tracked();
  const holder = started(control, { whenBusy: 'concurrent' });
  const run = started(control, { whenBusy: 'concurrent' });
  const section = gate();
  const held = holder.commit(() => section.promise);
  let writes = 0;
  const waiting = run.commit(() => (writes += 1));
  void control.abort({ runId: run.id });
  await expect(waiting).rejects.toMatchObject({ code: 'RUN_ABORTED', reason: 'user' });
  expect(await fencedEffects(control, run)).toBe(1);
  section.open();
  await held;
  expect(writes).toBe(0);
  run.complete();
  holder.complete();
});

test('commits that nobody awaits do not reject unheard at the cut', async () => {
  const { control } = tracked();
  const run = started(control);
  const section = gate();
  const held = run.commit(() => section.promise);
  void run.commit(() => 'waits behind it');
  void control.abort('all');
  void run.commit(() => 'too late');
  // Vitest fails the test file on an unhandled rejection.
  await flush();
  section.open();
  await held;
  run.complete();
  await flush();
});
