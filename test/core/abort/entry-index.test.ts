import { expect, test } from 'vitest';
import { EntryIndex } from '../../../src/core/abort/entry-index.js';
import { SignalEntry } from '../../../src/core/abort/signal-entry.js';
import { NodeContext } from '../../../src/core/node-context.js';

const runtime = new NodeContext({});

function entryOf(id: string, options: { readonly sessionKey?: string } = { sessionKey: 's' }): SignalEntry {
  const { sessionKey } = options;
  return new SignalEntry(runtime, id, { sessionKey, kind: 'chat', owner: undefined, tags: [] }, 0, () => undefined);
}

function indexOf(...entries: readonly SignalEntry[]): EntryIndex {
  const index = new EntryIndex();
  for (const entry of entries) index.add(entry);
  return index;
}

test('an entry that is removed twice does not take the later one of its id with it (A30)', () => {
  const [old, next] = [entryOf('a'), entryOf('a')];
  const index = indexOf(old);
  index.remove(old);
  index.add(next);
  index.remove(old);
  expect(index.get('a')).toBe(next);
  expect(index.inSession('s')).toEqual([next]);
  index.remove(next);
  expect([index.size, index.sessionKeys()]).toEqual([0, []]);
});

test.each([
  { leaves: 'the first', at: 0 },
  { leaves: 'the middle', at: 1 },
  { leaves: 'the last', at: 2 },
])('$leaves of a session leaves the others in their order', ({ at }) => {
  const entries = [entryOf('a'), entryOf('b'), entryOf('c')];
  const index = indexOf(...entries);
  const left = entries[at] as SignalEntry;
  index.leaveSession(left);
  index.leaveSession(left);
  expect(index.inSession('s')).toEqual(entries.filter((entry) => entry !== left));
  expect(index.get(left.id)).toBe(left);
  const late = entryOf('d');
  index.add(late);
  expect(index.inSession('s').at(-1)).toBe(late);
});

test('an entry without a session is known by its id only', () => {
  const entry = entryOf('a', {});
  const index = indexOf(entry);
  index.leaveSession(entry);
  expect([index.get('a'), index.sessionKeys()]).toEqual([entry, []]);
});
