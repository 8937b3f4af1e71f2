import { tool } from 'runfence/openai';
import { Hold } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { flushed, pending, stage, textsOf, until } from './support.js';

const look = tool({ name: 'look', effect: 'read', execute: () => 'seen' });
const said = (content: string) => [{ role: 'user' as const, content }];

describe('steering', () => {
  test('between steps is read before the next one, behind the results', async () => {
    const held = pending<string>();
    const slow = tool({ name: 'look', effect: 'read', execute: () => held.promise });
    await using on = await stage([[{ call: 'look' }], 'shorter'], { tools: [slow] });
    const { done, turn, events } = on.start();
    while (!events.some(({ type }) => type === 'tool-start')) await flushed();
    expect(turn.steer?.(said('shorter'))).toBe(true);
    held.open('seen');
    await done;
    expect(turn.snapshot().map(({ role }) => role)).toEqual(['assistant', 'tool', 'user', 'assistant']);
    expect(on.model.requests[1]?.messages.at(-1)).toEqual({ role: 'user', content: 'shorter' });
    expect(on.model.problems).toEqual([]);
  });

  test('in the last answer asks once more', async () => {
    const hold = new Hold();
    await using on = await stage([['first', hold], 'second']);
    const { done, turn } = on.start();
    await hold.reached;
    turn.steer?.(said('and in French?'));
    hold.open();
    expect((await done).reason).toBe('stop');
    expect(turn.snapshot()).toEqual([
      { role: 'assistant', content: 'first' },
      { role: 'user', content: 'and in French?' },
      { role: 'assistant', content: 'second' },
    ]);
  });

  test('at the last of its steps is answered all the same', async () => {
    const held = pending<string>();
    const slow = tool({ name: 'look', effect: 'read', execute: () => held.promise });
    await using on = await stage([[{ call: 'look' }], 'answered'], { tools: [slow], maxSteps: 1 });
    const { done, turn, events } = on.start();
    while (!events.some(({ type }) => type === 'tool-start')) await flushed();
    turn.steer?.(said('enough'));
    held.open('seen');
    expect((await done).reason).toBe('stop');
    expect(turn.snapshot().at(-1)).toEqual({ role: 'assistant', content: 'answered' });
  });

  test('of an answer that was cut at its limit goes on', async () => {
    const hold = new Hold();
    await using on = await stage([['half', hold, { finish: 'length' }], 'the rest']);
    const { done, turn } = on.start();
    await hold.reached;
    turn.steer?.(said('go on'));
    hold.open();
    expect((await done).reason).toBe('stop');
  });

  test('is refused once the turn has decided to end, and taken until then', async () => {
    await using on = await stage(['done']);
    const { done, turn } = on.start();
    const taken = done.then(() => turn.steer?.(said('too late')));
    expect(await taken).toBe(false);
    expect(turn.snapshot()).toEqual([{ role: 'assistant', content: 'done' }]);
  });

  test('is refused after a stop; what was taken before is in the snapshot', async () => {
    const hold = new Hold();
    await using on = await stage([['half', hold], 'again'], { tools: [look] });
    const turn = on.start();
    await until(() => textsOf(turn.events) === 'half');
    expect(turn.turn.steer?.(said('shorter'))).toBe(true);
    await turn.stop();
    expect(turn.turn.steer?.(said('too late'))).toBe(false);
    const left = turn.turn.snapshot({ reason: 'user' });
    expect(left).toEqual([{ role: 'assistant', content: 'half' }, ...said('shorter')]);
    await on.next(turn.all({ reason: 'user' }));
    expect(on.model.problems).toEqual([]);
  });
});
