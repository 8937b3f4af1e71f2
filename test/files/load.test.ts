import type { Awaitable } from 'runfence';
import { expect, test } from 'vitest';
import { folder } from './support/folders.js';
import { backendIn, Hears } from './support/nodes.js';
import { endOf, granted, stopOf } from './support/requests.js';

const RUNS = 5_000;

/** How long this process has computed, in ms: what others of the machine do is no matter. */
function workedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

test('F21: 5 000 live runs are begun, stopped and ended at once, and nothing stands still for long', async () => {
  const backend = backendIn(folder(), { staleMs: 10_000 });
  const hears = new Hears();
  const remove = backend.subscribe('a', hears);
  let seenAt = workedMs();
  let stallMs = 0;
  const watching = setInterval(() => {
    const now = workedMs();
    stallMs = Math.max(stallMs, now - seenAt);
    seenAt = now;
  }, 5);
  const all = async <Answer>(name: string, act: (i: number) => Awaitable<Answer>): Promise<Answer[]> => {
    const at = workedMs();
    stallMs = 0;
    seenAt = at;
    const answers = await Promise.all(Array.from({ length: RUNS }, async (_unused, i) => act(i)));
    const ms = workedMs() - at;
    console.log(`${name}: ${Math.round(ms)} ms, longest stall ${Math.round(stallMs)} ms`);
    // What is quadratic takes tens of seconds.
    expect(ms).toBeLessThan(10_000);
    expect(stallMs).toBeLessThan(1_500);
    return answers;
  };
  const of = (i: number): { sessionKey: string; runId: string } => ({ sessionKey: `s${i}`, runId: `r${i}` });
  const runs = await all('begun', (i) => granted(backend, 'a', of(i)));
  await all('stopped', (i) => backend.stop(stopOf('a', { sessionKey: `s${i}` })));
  await all('ended', (i) => backend.end(endOf('a', runs[i]?.generation ?? 0, { ...of(i), status: 'aborted' })));
  expect(await backend.readActive()).toEqual([]);
  // It did everything itself.
  expect(hears.snapshots.length).toBeLessThan(RUNS / 10);
  clearInterval(watching);
  remove();
});
