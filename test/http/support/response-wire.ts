import { allEvents } from './sse.js';

interface Item {
  readonly id?: string;
  readonly type?: string;
  readonly content?: { text: string }[];
  readonly arguments?: string;
}

interface Event {
  readonly type: string;
  readonly sequence_number: number;
  readonly output_index?: number;
  readonly content_index?: number;
  readonly item_id?: string;
  readonly item?: Item;
  readonly delta?: string;
  readonly text?: string;
  readonly response?: { readonly id: string; readonly status: string; readonly output: Item[] } & Record<
    string,
    unknown
  >;
}

export interface ResponseRead {
  readonly types: string[];
  readonly text: string;
  readonly last: Event['response'];
  /** What no client of the protocol needs to bear. */
  readonly problems: string[];
}

const LAST = ['response.completed', 'response.incomplete', 'response.failed'];

/** The stream of a response, as strictly as any client reads it. */
export async function readResponse(response: Response): Promise<ResponseRead> {
  const sent = (await allEvents(response)).filter(({ event }) => event !== ':');
  const events = sent.map(({ data }) => JSON.parse(data) as Event);
  const problems: string[] = [];
  const says = (isSo: boolean, problem: string): void => void (isSo || problems.push(problem));
  says(
    sent.every(({ event }, at) => event === events[at]?.type),
    'every event has its type as its name',
  );
  says(
    events.every(({ sequence_number: number }, at) => number === at),
    'the numbers have no hole',
  );
  const types = events.map(({ type }) => type);
  says(types[0] === 'response.created' && types[1] === 'response.in_progress', 'it begins with created');
  says(LAST.includes(types.at(-1) ?? '') && types.filter((type) => LAST.includes(type)).length === 1, 'it ends once');
  const output: Item[] = [];
  let open: string | undefined;
  let text = '';
  for (const event of events) {
    const { type, output_index: index, item, item_id: id } = event;
    if (type === 'response.output_item.added') {
      says(open === undefined && index === output.length, 'an item begins behind the one before');
      output.push(item ?? {});
      open = item?.id;
    } else if (index !== undefined) {
      says(index === output.length - 1 && (id ?? item?.id) === open, `${type} is of the item that is open`);
    }
    if (type === 'response.output_text.delta') text += event.delta;
    if (type === 'response.output_item.done') {
      open = undefined;
      output.splice(-1, 1, item ?? {});
    }
  }
  says(open === undefined, 'every item is done');
  const last = events.at(-1)?.response;
  says(JSON.stringify(last?.output) === JSON.stringify(output), 'the last response has the items that were streamed');
  return { types, text, last, problems };
}
