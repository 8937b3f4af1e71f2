import {
  type Backend,
  type ListedStop,
  type Memory,
  type MemoryState,
  memory,
  type Notices,
  type Snapshot,
} from 'runfence/backend';
import { ADMIN } from '../../../../src/core/principal.js';

/** A notice that a node has heard. */
export interface Heard {
  readonly nodeId: string;
  readonly sessionKey: string;
  readonly version: number;
  readonly snapshot: Snapshot | undefined;
}

/** What is compared with the reference. */
export interface Subject {
  /** Asked anew for each operation: it may be another one each time. */
  backend(): Backend;
  /** Ends a node's lease, or lets it run again. */
  lapse(nodeId: string, hasLapsed: boolean): void;
  listen(nodeId: string, isOn: boolean): void;
  /** `all`: notices come at once, and the record comes with an answer only if it must. `any`: as the port has it. */
  readonly tells: 'all' | 'any';
  /** Its records are read after each operation, also if it tells `any`. */
  readonly isReadable?: true;
  /** Since it was last looked at. */
  readonly heard: Heard[];
}

/** One backend from the first operation to the last. */
export class Whole<T extends Backend = Backend> implements Subject {
  readonly heard: Heard[] = [];
  readonly tells: 'all' | 'any';
  readonly lapse: (nodeId: string, hasLapsed: boolean) => void;
  readonly #backend: T;
  readonly #removers = new Map<string, () => void>();

  constructor(backend: T, lapse: (nodeId: string, hasLapsed: boolean) => void, tells: 'all' | 'any') {
    this.#backend = backend;
    this.lapse = lapse;
    this.tells = tells;
  }

  backend(): T {
    return this.#backend;
  }

  listen(nodeId: string, isOn: boolean): void {
    this.#removers.get(nodeId)?.();
    this.#removers.delete(nodeId);
    if (isOn) this.#removers.set(nodeId, this.#backend.subscribe(nodeId, noticesOf(nodeId, this.heard)));
  }
}

/** A memory from the first operation to the last. */
export function wholeMemory(): Whole<Memory> {
  const lapsed = new Set<string>();
  const lapse = (nodeId: string, hasLapsed: boolean): void => {
    if (hasLapsed) lapsed.add(nodeId);
    else lapsed.delete(nodeId);
  };
  return new Whole(memory({ lapsed: (nodeId) => lapsed.has(nodeId) }), lapse, 'all');
}

/** A memory that goes through a document after each operation. */
export class ReloadedMemory implements Subject {
  readonly heard: Heard[] = [];
  readonly tells = 'any';
  readonly #lapsed = new Set<string>();
  readonly #removers = new Map<string, () => void>();
  #memory: Memory = memory({ lapsed: (nodeId) => this.#lapsed.has(nodeId) });

  backend(): Memory {
    return this.#memory;
  }

  lapse(nodeId: string, hasLapsed: boolean): void {
    if (hasLapsed) this.#lapsed.add(nodeId);
    else this.#lapsed.delete(nodeId);
  }

  listen(nodeId: string, isOn: boolean): void {
    this.#removers.get(nodeId)?.();
    this.#removers.delete(nodeId);
    if (isOn) this.#removers.set(nodeId, this.#memory.subscribe(nodeId, noticesOf(nodeId, [])));
  }

  /** Writes the document, and goes on from it. */
  reload(): string {
    const document = write(this.#memory.state());
    this.#memory = memory({ state: read(document), lapsed: (nodeId) => this.#lapsed.has(nodeId) });
    for (const nodeId of [...this.#removers.keys()]) this.listen(nodeId, true);
    return document;
  }
}

/** The same for the same history: the order of the sessions is not part of it. */
export function write(state: MemoryState): string {
  return JSON.stringify(withRequesters(state, (requester) => (requester === ADMIN ? ADMIN_WORD : requester)));
}

function read(document: string): MemoryState {
  return withRequesters(JSON.parse(document), (requester) => (requester === ADMIN_WORD ? ADMIN : requester));
}

function withRequesters(state: MemoryState, change: (requester: unknown) => unknown): MemoryState {
  const changed = <T extends ListedStop>(stop: T): T => ({ ...stop, requester: change(stop.requester) });
  const sessions = [...state.sessions].sort((a, b) => a.version - b.version);
  return {
    ...state,
    sessions: sessions.map((session) => ({
      ...session,
      stops: session.stops.map(({ stop, unmet }) => ({ stop: changed(stop), unmet })),
    })),
    list: { ...state.list, stops: state.list.stops.map(changed) },
  };
}

/** JSON knows no symbols. */
const ADMIN_WORD = 'the admin';

function noticesOf(nodeId: string, heard: Heard[]): Notices {
  return {
    changed: (sessionKey, version, snapshot) => heard.push({ nodeId, sessionKey, version, snapshot }),
    listed: () => {},
    gap: () => {},
    lost: () => {},
    orphaned: () => {},
  };
}
