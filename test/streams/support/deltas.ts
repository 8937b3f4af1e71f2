import type { Merge, StreamItem } from 'runfence/streams';

/** Events as an agent has them: text that comes in deltas, and others that stand alone. */
export type Part = { readonly type: 'text'; readonly text: string } | { readonly type: 'tool'; readonly name: string };

export const merge: Merge<Part> = {
  key: (part) => (part.type === 'text' ? 'text' : undefined),
  text: (part) => (part.type === 'text' ? part.text : ''),
  with: (_part, text) => ({ type: 'text', text }),
};

export const text = (value: string): Part => ({ type: 'text', text: value });
export const tool = (name: string): Part => ({ type: 'tool', name });

/** All items until the end of an iteration. */
export async function all<T>(source: AsyncIterable<T> | undefined): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source ?? []) items.push(item);
  return items;
}

/** What a subscriber has of the text, from the items that it got. */
export function textOf(items: readonly StreamItem<Part>[]): string {
  return items.map((item) => (item.type === 'event' && item.event.type === 'text' ? item.event.text : '')).join('');
}

/** In short: `event 1-3`, `gap 1-2`, `cut user`, `restart`, `end completed 3`. */
export function shown<E>(items: readonly StreamItem<E>[]): string[] {
  return items.map((item) => {
    if (item.type === 'event') return `event ${item.from === item.seq ? item.seq : `${item.from}-${item.seq}`}`;
    if (item.type === 'gap') return `gap ${item.from}-${item.to}`;
    if (item.type === 'cut') return `cut ${item.reason}`;
    if (item.type === 'restart') return 'restart';
    return `end ${item.status} ${item.seq}`;
  });
}
