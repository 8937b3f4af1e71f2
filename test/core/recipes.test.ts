import type { RunControlOptions } from 'runfence';
import { describe, expect, test } from 'vitest';
import { tracked } from '../support/tracked.js';
import { untilCut } from '../support/work.js';

const eve = { userId: 'eve' };

describe('recipes of authority', () => {
  test('key mapping: a client’s session and run ids are scoped to its user', async () => {
    const { control } = tracked();
    const scope = (user: string, id: string): string => JSON.stringify([user, id]);
    const send = (user: string): Promise<unknown> =>
      control.run(
        { sessionKey: scope(user, 'chat-1'), runId: scope(user, 'msg-1'), owner: { userId: user } },
        untilCut,
      );
    const [first, second] = [send('ada'), send('eve')];
    expect(control.runs.list()).toHaveLength(2);
    expect(await control.abort({ sessionKey: scope('eve', 'chat-1') }, { requester: eve })).toMatchObject({
      result: 'aborted',
    });
    expect(control.runs.isActive(scope('ada', 'chat-1'))).toBe(true);
    await control.abort('all');
    await Promise.all([first, second]);
  });

  test('a shared group session: members stop, read and take over each other’s runs, others do not', async () => {
    const members: Readonly<Record<string, readonly (string | undefined)[]>> = { group: ['ada', 'bob'] };
    const options: RunControlOptions = {
      authorize: ({ principal, target }) => members[target.sessionKey ?? '']?.includes(principal.userId) === true,
    };
    const { control } = tracked(options);
    const bob = { userId: 'bob' };
    const first = control.run({ sessionKey: 'group', owner: { userId: 'ada' } }, untilCut);
    const second = control.run({ sessionKey: 'group', owner: bob }, untilCut);
    expect(await first).toMatchObject({ status: 'aborted', reason: 'superseded' });
    expect(control.runs.isActive('group', { requester: { userId: 'ada' } })).toBe(true);
    expect(control.runs.isActive('group', { requester: eve })).toBe(false);
    expect(await control.run({ sessionKey: 'group', owner: eve }, untilCut)).toMatchObject({ cause: 'forbidden' });
    expect(await control.abort({ sessionKey: 'group' }, { requester: { userId: 'ada' } })).toMatchObject({
      result: 'aborted',
    });
    await second;
  });
});
