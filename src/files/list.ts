import { type Memory, memory, type StopList } from '../backend/index.js';
import { asBeat, asFlag, asList, asNumber, asObject, checkDistinct, ifGiven, type Unknown } from './check.js';
import { checkStop } from './check-state.js';
import type { Deaths } from './desk.js';
import { listAsJson, listFromJson } from './json.js';

/** The stops of the whole backend, under a counter of their own, and which heartbeat stands for each node that has one. */
export interface ListState {
  readonly counter: number;
  readonly list: StopList;
  readonly beats: Readonly<Record<string, string>>;
}

export const EMPTY_LIST: StopList = { version: 0, stops: [] };
export const NO_STOPS: ListState = { counter: 0, list: EMPTY_LIST, beats: {} };

/** The list, to work on. */
export class ListDesk {
  readonly backend: Memory;
  readonly #beats: Map<string, string>;

  constructor({ counter, list, beats }: ListState, deaths: Pick<Deaths, 'isBuried'>) {
    this.backend = memory({ state: { counter, runs: [], sessions: [], list: listFromJson(list) } });
    this.#beats = new Map(Object.entries(beats));
    for (const { nodeId, number } of list.stops) {
      // Its node is not there to do it.
      if (deaths.isBuried(beats[nodeId] ?? '')) this.backend.forget({ listed: number });
    }
  }

  work<Answer>(nodeId: string, beat: string, act: (backend: Memory) => Answer): Answer {
    this.#beats.set(nodeId, beat);
    return act(this.backend);
  }

  get version(): number {
    return (this.backend.readStops() as StopList).version;
  }

  close(): ListState {
    const { counter, list } = this.backend.state();
    const named = new Set(list.stops.map(({ nodeId }) => nodeId));
    const beats = Object.fromEntries([...this.#beats].filter(([nodeId]) => named.has(nodeId)));
    return { counter, list: listAsJson(list), beats };
  }
}

/** Throws if it is no list. */
export function checkList(value: unknown): ListState {
  const state = asObject(value, 'the list');
  const counter = asNumber(state.counter, 'the counter', { from: 0 });
  const list = asObject(state.list, 'the list');
  asNumber(list.version, 'the version of the list', { from: 0, to: counter });
  const beats = asObject(state.beats, 'the list of heartbeats');
  for (const beat of Object.values(beats)) asBeat(beat, 'a heartbeat');
  const stops = asList(list.stops, 'the stops').map((stop) => {
    const number = checkStop(stop, counter);
    ifGiven((stop as Unknown).intent, (intent) => asFlag(intent, 'the intent of a stop'));
    const { nodeId } = stop as { readonly nodeId: string };
    if (!Object.hasOwn(beats, nodeId)) throw new TypeError(`node ${nodeId} has no heartbeat`);
    return number;
  });
  checkDistinct(stops, 'numbers of stops');
  return value as ListState;
}
