import { closingText, Inbox, textOf } from 'runfence/agent';
import { expect, test } from 'vitest';

test('an inbox takes messages until it is closed, and is closed only if nothing waits', () => {
  const inbox = new Inbox<number>();
  expect(inbox.push([1, 2])).toBe(true);
  expect(inbox.closeIfEmpty()).toBe(false);
  const seen = inbox.peek();
  expect(inbox.take()).toEqual([1, 2]);
  expect(seen).toEqual([1, 2]);
  expect(inbox.closeIfEmpty()).toBe(true);
  expect(inbox.push([3])).toBe(false);
  expect(inbox.peek()).toEqual([]);
});

test('a closed inbox still has what was in it', () => {
  const inbox = new Inbox<number>();
  inbox.push([1]);
  inbox.close();
  expect(inbox.push([2])).toBe(false);
  expect(inbox.peek()).toEqual([1]);
});

test('the closing texts say what is known, and why', () => {
  expect(closingText('unknown', { reason: 'superseded' })).toBe(
    '[no result: the turn was stopped (superseded) while the tool ran. It may have taken effect. Check before you call it again]',
  );
  expect(closingText('not-started')).toBe('[not started: the turn ended]');
});

test('the text of a message is that of its text parts', () => {
  expect(textOf('a')).toBe('a');
  expect(
    textOf({
      role: 'user',
      content: [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
    }),
  ).toBe('ab');
  expect(textOf([{ type: 'file', mediaType: 'image/png', data: '' }])).toBe('');
});
