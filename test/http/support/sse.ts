/** An event of a stream of server-sent events. */
export interface SentEvent {
  readonly event: string | undefined;
  readonly id: string | undefined;
  readonly data: string;
}

/** Reads events as a browser does; a comment is an event named `:`. */
export async function* readEvents(response: Response): AsyncGenerator<SentEvent> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    rest += decoder.decode(bytes as Uint8Array, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) yield eventOf(block);
  }
  if (rest !== '') throw new Error(`The stream ends within an event: ${rest}`);
}

function eventOf(block: string): SentEvent {
  const field = (name: string): string | undefined =>
    block
      .split('\n')
      .filter((line) => line.startsWith(`${name}: `))
      .map((line) => line.slice(name.length + 2))
      .at(0);
  if (block.startsWith(': ')) return { event: ':', id: undefined, data: block.slice(2) };
  const data = field('data');
  if (data === undefined) throw new Error(`An event without data: ${block}`);
  return { event: field('event'), id: field('id'), data };
}

export async function allEvents(response: Response): Promise<SentEvent[]> {
  const events: SentEvent[] = [];
  for await (const event of readEvents(response)) events.push(event);
  return events;
}
