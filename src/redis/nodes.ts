import type { Notices } from '../backend/index.js';
import { fromJson, type ListJson, listFrom, type SnapshotJson, snapshotFrom } from './json.js';

type Message =
  | readonly ['changed', nodeId: string, sessionKey: string, version: number, snapshot: SnapshotJson | null]
  | readonly ['listed', nodeId: string, version: number, stops: ListJson[1]];

/** The nodes of this process that listen. */
export class Nodes {
  readonly #nodes: Map<string, Notices> = new Map();
  /** The newest list that all of them were told. */
  listVersion = 0;

  get size(): number {
    return this.#nodes.size;
  }

  /** One of them, to tell something that one has to know. */
  get any(): Notices | undefined {
    return this.#nodes.values().next().value;
  }

  has(nodeId: string): boolean {
    return this.#nodes.has(nodeId);
  }

  add(nodeId: string, notices: Notices): () => void {
    this.#nodes.set(nodeId, notices);
    // It knows of no list yet.
    this.listVersion = 0;
    return () => {
      if (this.#nodes.get(nodeId) === notices) this.#nodes.delete(nodeId);
    };
  }

  /** What is no message of ours is no message. */
  hear(text: string): void {
    let message: Message;
    try {
      message = fromJson<Message>(text);
    } catch {
      return;
    }
    if (message[0] === 'changed') {
      const [, by, sessionKey, version, json] = message;
      const snapshot = json === null ? undefined : snapshotFrom(json);
      this.#tell(by, (notices) => notices.changed(sessionKey, version, snapshot));
    } else if (message[0] === 'listed') {
      const [, by, version, stops] = message;
      const list = listFrom([version, stops]);
      this.#tell(by, (notices) => notices.listed(version, list));
    }
  }

  changed(sessionKey: string, version: number): void {
    this.#tell(undefined, (notices) => notices.changed(sessionKey, version));
  }

  listed(json: ListJson): void {
    const list = listFrom(json);
    this.listVersion = list.version;
    this.#tell(undefined, (notices) => notices.listed(list.version, list));
  }

  gap(): void {
    this.#tell(undefined, (notices) => notices.gap());
  }

  lost(): void {
    this.#tell(undefined, (notices) => notices.lost());
  }

  #tell(except: string | undefined, tell: (notices: Notices) => void): void {
    for (const [nodeId, notices] of [...this.#nodes]) if (nodeId !== except) tell(notices);
  }
}
