import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { holderIn } from '../../support/records.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';

/** A control whose backend's answers come when the test says so. */
function lateNode() {
  const state = memory();
  const backend = new FaultyBackend({ over: state });
  return { state, backend, ...tracked({ backend }) };
}

describe('the answer to a stop that comes after its bound', () => {
  test.each(['before', 'after'] as const)(
    'does not free the lock of who has it by then (held %s it acts)',
    async (when) => {
      const { backend, control, clock, state } = lateNode();
      const run = await begin(control, { runId: 'r' });
      const old = await control.locks.acquire('s', { holder: run });
      const next = watching(control.locks.acquire('s'));
      backend.hold('stop', when);
      const receipt = control.abort({ runId: 'r' });
      await clock.advance(2_000);
      expect(await receipt).toMatchObject({ recorded: 'unreachable' });
      await clock.advance(50);
      const grant = next.result as typeof old;
      expect([old.isHeld(), grant.isHeld()]).toEqual([false, true]);
      const told: unknown[] = [];
      control.on('lock:released', ({ token }) => told.push(token));
      backend.release('stop');
      await flush();
      expect(told).toEqual([]);
      const third = control.locks.acquire('s', { timeoutMs: 60 });
      const refused = expect(third).rejects.toMatchObject({ code: 'LOCK_TIMEOUT', holder: { token: grant.token } });
      await clock.advance(60);
      await refused;
      expect(await grant.commit(() => 'written')).toBe('written');
      grant.release();
      await flush();
      expect([told, await holderIn(state)]).toEqual([[grant.token], undefined]);
      run.complete();
    },
  );
});

test('a check whose answer comes after the cut starts no section', async () => {
  const { backend, control } = lateNode();
  const run = await begin(control, { runId: 'r' });
  const grant = await control.locks.acquire('s', { holder: run });
  backend.hold('check', 'after');
  const written: string[] = [];
  const commit = watching(grant.commit(() => void written.push('late')));
  await flush();
  await control.abort({ runId: 'r' });
  backend.release('check');
  await flush();
  expect([commit.state, written]).toEqual(['rejected', []]);
  run.complete();
});
