import type { AuthorityQuestion } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked, upstream } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const OWNER = { userId: 'ada' };

/** A control whose `authorize` allows everything, and does something of its own in the middle of it. */
function meddling(action: AuthorityQuestion['action']) {
  const meddle = { act: (): unknown => undefined };
  const made = tracked({
    authorize: (question) => {
      if (question.action === action) meddle.act();
      return true;
    },
  });
  return { meddle, ...made };
}

describe('what authorize does is seen before the run that it is asked about is reserved', () => {
  test.each(['start', 'supersede'] as const)('a drain while %s is asked: nothing starts after it', async (action) => {
    const { control, meddle } = meddling(action);
    const drains: Promise<unknown>[] = [];
    const first = await begin(control, { owner: OWNER });
    meddle.act = () => drains.push(control.drain({ graceMs: 0 }));
    const answer = await control.run({ sessionKey: 's', owner: OWNER }, () => 'ran');
    first.complete();
    await Promise.all(drains);
    expect(answer).toMatchObject({ status: 'rejected', cause: 'draining' });
  });

  test('the signal of the run: it never starts, and supersedes nobody', async () => {
    const { control, meddle } = meddling('supersede');
    const { signal, abort } = { signal: upstream(), abort: () => signal.abort() };
    const first = await begin(control, { owner: OWNER });
    meddle.act = abort;
    const answer = await control.runs.begin({ sessionKey: 's', owner: OWNER, signal: signal.signal });
    expect(answer).toMatchObject({ status: 'aborted', reason: 'upstream' });
    expect(first.isCurrent()).toBe(true);
    first.complete();
  });

  test('an abort of the parent: its child never starts', async () => {
    const { control, meddle } = meddling('start');
    const parent = await begin(control, { owner: OWNER });
    meddle.act = () => control.abort({ runId: parent.id });
    let isCalled = false;
    const child = await parent.child({}, () => {
      isCalled = true;
    });
    expect(child).toMatchObject({ status: 'aborted', reason: 'parent' });
    expect(isCalled).toBe(false);
    parent.complete();
  });

  test('a run of the same id: the second one is its duplicate', async () => {
    const { control, meddle } = meddling('supersede');
    const other = await begin(control, { owner: OWNER });
    meddle.act = () => {
      meddle.act = () => undefined;
      void control.start({ sessionKey: 's', runId: 'same', owner: OWNER, whenBusy: 'concurrent' }, untilCut);
    };
    const answer = await control.runs.begin({ sessionKey: 's', runId: 'same', owner: OWNER });
    expect(answer).toMatchObject({ status: 'duplicate', run: { runId: 'same', status: 'running' } });
    await control.abort('all');
    other.complete();
    await flush();
  });
});

test('an abort of the run that wants to take over, while that is asked: nobody is superseded by it', async () => {
  const { control, meddle } = meddling('supersede');
  const first = await begin(control, { owner: OWNER });
  // The first question is asked before the reservation: there is nothing to abort yet.
  meddle.act = () => control.abort({ runId: 'second' });
  const answer = await control.runs.begin({ sessionKey: 's', runId: 'second', owner: OWNER });
  expect(answer).toMatchObject({ status: 'aborted', reason: 'user' });
  expect(first.isCurrent()).toBe(true);
  first.complete();
});
