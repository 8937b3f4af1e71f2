import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';

describe('a run and an entry of the host share one set of ids', () => {
  test.each(['chat', 'agent'])(
    'an entry of kind %s cannot take the id of a run, queued, running, stopping or ended',
    async (kind) => {
      const { control } = tracked();
      const first = await begin(control, { runId: 'first' });
      const next = await queued(control, { runId: 'next' });
      const register = (id: string) => control.aborts.register({ id, sessionKey: 't', kind });
      expect(register('next')).toMatchObject({ registered: false, existing: { sessionKey: 's', status: 'queued' } });
      expect(register('first')).toMatchObject({ registered: false, existing: { sessionKey: 's', status: 'running' } });
      await control.abort({ runId: 'first' });
      expect(register('first')).toMatchObject({ registered: false, existing: { status: 'stopping' } });
      expect(next.run.isCurrent()).toBe(true);
      first.complete();
      next.run.complete();
      expect(register('next')).toMatchObject({ registered: false, existing: { status: 'completed' } });
    },
  );

  test('a run cannot take the id of an entry, whatever their kinds (A5)', async () => {
    const { control } = tracked();
    const entry = control.aborts.register({ id: 'a', kind: 'upload' });
    if (!entry.registered) throw new Error('taken');
    for (const kind of ['upload', 'chat']) {
      await expect(control.runs.begin({ sessionKey: 's', runId: 'a', kind })).rejects.toMatchObject({
        code: 'RUN_ID_CONFLICT',
      });
    }
    expect(entry.signal.aborted).toBe(false);
    entry.release();
    (await begin(control, { runId: 'a' })).complete();
  });
});
