import type { Run } from 'runfence';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

describe('the closure', () => {
  /** A parent with a child with a child; resolves when all three run. */
  function family(control: ReturnType<typeof tracked>['control'], onRun: (run: Run) => void): Promise<unknown> {
    return control.run({ sessionKey: 's', runId: 'parent' }, (parent) => {
      onRun(parent);
      void parent.child({ runId: 'child' }, (child) => {
        onRun(child);
        void child.child({ runId: 'grandchild' }, (grandchild) => {
          onRun(grandchild);
          return untilCut(grandchild);
        });
        return untilCut(child);
      });
      return untilCut(parent);
    });
  }

  test('is cut before anybody is told, and told signals first (A21, A23)', async () => {
    const { control } = tracked();
    const log: string[] = [];
    const runs: Run[] = [];
    const current = (): number => runs.filter((run) => run.isCurrent()).length;
    control.on('run:aborted', ({ run, reason }) => log.push(`event ${run.runId} ${reason} ${current()}`));
    const outcome = family(control, (run) => {
      runs.push(run);
      run.signal.addEventListener('abort', () => log.push(`signal ${run.id} ${current()}`));
    });
    const receipt = await control.abort({ runId: 'parent' });
    expect(log).toEqual([
      'signal parent 0',
      'signal child 0',
      'signal grandchild 0',
      'event parent user 0',
      'event child parent 0',
      'event grandchild parent 0',
    ]);
    expect(receipt.runIds).toEqual(['parent']);
    const { runs: reports } = await receipt.whenQuiet();
    expect(reports.map(({ runId, state }) => [runId, state])).toEqual([
      ['parent', 'quiet'],
      ['child', 'quiet'],
      ['grandchild', 'quiet'],
    ]);
    await outcome;
  });

  test('children that are begun while it is cut never start', async () => {
    const { control } = tracked();
    const called: string[] = [];
    const late: Promise<unknown>[] = [];
    const outcome = family(control, (run) => {
      run.signal.addEventListener('abort', () => {
        late.push(run.child({ runId: `${run.id}-late` }, () => called.push(run.id)));
      });
    });
    control.on('run:aborted', ({ run }) => {
      if (run.runId === 'child') void control.abort({ sessionKey: 's' });
    });
    await (await control.abort({ runId: 'parent' })).whenQuiet();
    await outcome;
    const outcomes = await Promise.all(late);
    expect(outcomes).toMatchObject(['parent', 'parent', 'parent'].map((reason) => ({ status: 'aborted', reason })));
    expect(called).toEqual([]);
    expect(control.runs.get('parent-late')).toBeUndefined();
  });

  test('a detached child and the parent of an aborted child go on', async () => {
    const { control } = tracked();
    const parent = control.run({ sessionKey: 's', runId: 'parent' }, (run) => {
      void run.child({ runId: 'child' }, untilCut);
      void run.child({ runId: 'detached', detached: true }, untilCut);
      return untilCut(run);
    });
    await control.abort({ runId: 'child' });
    expect(control.runs.session('s').activeRunIds).toEqual(['parent', 'detached']);
    await control.abort({ runId: 'parent' });
    expect(control.runs.session('s').activeRunIds).toEqual(['detached']);
    await control.abort('all');
    await parent;
  });

  test('a session abort gives the children its own reason, for it matches them too (H2)', async () => {
    const { control } = tracked();
    const outcome = family(control, () => {});
    const receipt = await control.abort({ sessionKey: 's' });
    expect(receipt.runIds).toEqual(['parent', 'child', 'grandchild']);
    expect(control.runs.get('grandchild')?.reason).toBe('user');
    await outcome;
  });

  test('children end with a parent that completes', async () => {
    const { control } = tracked();
    await control.run({ sessionKey: 's', runId: 'parent' }, (run) => {
      void run.child({ runId: 'child' }, untilCut);
    });
    expect(await control.wait('child')).toMatchObject({ status: 'aborted', reason: 'parent' });
  });
});
