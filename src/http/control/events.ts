import type { AgentEvent } from '../../agent/index.js';
import type { StreamItem, StreamPosition } from '../../streams/index.js';
import { invalidRequest, notFound } from '../../transport/index.js';
import type { Call } from '../shared/context.js';
import { type Encoder, eventStream } from '../shared/sse.js';
import { Viewer } from '../shared/viewer.js';

/**
 * `GET /runs/{id}/events`: what a run says, as events with an `id` to go on behind: `Last-Event-ID`, which browsers send by
 * themselves, or `?after=`.
 */
export async function runEvents(call: Call): Promise<Response> {
  const { context, caller, request, id } = call;
  const place = placeOf(request.headers.get('last-event-id') ?? new URL(request.url).searchParams.get('after'));
  const { requester } = caller;
  const items = context.runner.streams.subscribe(id, {
    requester,
    ...(place === undefined ? {} : { after: place.position }),
  });
  if (items === undefined) throw notFound();
  // A browser connects again after the end, and stops at a 204.
  const isOver = place?.isEnd === true && context.control.runs.get(id)?.generation === place.position.generation;
  if (isOver) return new Response(null, { status: 204, headers: { 'cache-control': 'no-store' } });
  return eventStream(context, new Viewer(id, items, request), new RunEventLines());
}

interface Place {
  readonly position: StreamPosition;
  readonly isEnd: boolean;
}

function placeOf(text: string | null): Place | undefined {
  if (text === null || text === '') return undefined;
  const [, generation, seq, end] = /^(\d{1,16})-(\d{1,16})(-end)?$/.exec(text) ?? [];
  const position = { generation: Number(generation), seq: Number(seq) };
  if (!Number.isSafeInteger(position.generation) || !Number.isSafeInteger(position.seq)) {
    throw invalidRequest('Last-Event-ID must be the id of an event of this run.');
  }
  return { position, isEnd: end !== undefined };
}

/** An item as it is, under its type; an event under the type of what it says. */
class RunEventLines implements Encoder {
  isOver = false;

  open(): string {
    return '';
  }

  item(item: StreamItem<AgentEvent>): string {
    switch (item.type) {
      case 'event':
        return line(
          item.event.type,
          { seq: item.seq, from: item.from, ...item.event },
          `${item.generation}-${item.seq}`,
        );
      case 'gap':
        return line('gap', item, `${item.generation}-${item.to}`);
      case 'end':
        this.isOver = true;
        return line('end', item, `${item.generation}-${item.seq}-end`);
      default:
        return line(item.type, item);
    }
  }
}

function line(event: string, data: object, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
