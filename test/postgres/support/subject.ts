import type { Backend } from 'runfence/backend';
import { NODES } from '../../proof/model/record/requests.js';
import type { Heard, Subject } from '../../proof/model/record/subjects.js';
import type { Host } from './clients.js';
import { endLease, makeLeasesEndable } from './leases.js';

const ENDLESS_MS = 3_600_000;
const TABLES = ['session', 'lock', 'run', 'interest', 'listed', 'forgotten', 'orphan', 'asleep'];

/** Three nodes in processes of their own, as far as the server can tell, to be compared with the reference. */
export class PostgresSubject implements Subject {
  readonly tells = 'any';
  readonly isReadable = true;
  readonly heard: Heard[] = [];
  readonly #host: Host;
  readonly #schema: string;
  readonly #nodes: Map<string, { readonly backend: Backend; readonly beat: string }> = new Map();
  #turned: Promise<unknown> = Promise.resolve();

  private constructor(host: Host, schema: string) {
    this.#host = host;
    this.#schema = schema;
  }

  static async open(host: Host, schema: string): Promise<PostgresSubject> {
    const subject = new PostgresSubject(host, schema);
    await host.backend({ schema }).migrate();
    await makeLeasesEndable(host, schema);
    for (const nodeId of NODES) await subject.#begin(nodeId);
    return subject;
  }

  /** As if nothing had happened yet. */
  async clear(): Promise<void> {
    const in_ = this.#schema;
    await this.#turned;
    await this.#host.query(
      [
        ...TABLES.map((table) => `delete from ${in_}.${table}`),
        `update ${in_}.lifetime set list = 0`,
        `update ${in_}.process set until = 'infinity'`,
        `select setval('${in_}.number', 1, false)`,
      ].join(';'),
    );
  }

  backend(): Backend {
    const of = async (nodeId: string): Promise<Backend> => {
      await this.#turned;
      return (this.#nodes.get(nodeId) ?? this.#nodes.get(NODES[0] as string))?.backend as Backend;
    };
    return {
      scope: 'cluster',
      synchronous: false,
      claim: async (request) => (await of(request.nodeId)).claim(request),
      stop: async (request) => (await of(request.nodeId)).stop(request),
      stopEverywhere: async (request) => (await of(request.nodeId)).stopEverywhere(request),
      end: async (request) => (await of(request.nodeId)).end(request),
      announce: async (request) => (await of(request.nodeId)).announce(request),
      lock: async (request) => (await of(request.nodeId)).lock(request),
      unlock: async (request) => (await of(request.nodeId)).unlock(request),
      check: async (request) => (await of('')).check(request),
      readSession: async (request) => (await of(request.nodeId)).readSession(request),
      readRun: async (request) => (await of(request.nodeId)).readRun(request),
      readNode: async (nodeId) => (await of(nodeId)).readNode(nodeId),
      readActive: async () => (await of('')).readActive(),
      readStops: async () => (await of('')).readStops(),
      forget: async (request) => (await of('')).forget(request),
      subscribe: () => () => {},
      close: () => {},
    };
  }

  lapse(nodeId: string, hasLapsed: boolean): void {
    const beat = this.#nodes.get(nodeId)?.beat as string;
    const [in_, host] = [this.#schema, this.#host];
    this.#turned = this.#turned.then(async () => {
      if (hasLapsed) await endLease(host, in_, 'values ($1)', [beat]);
      else {
        await host.query(`delete from ${in_}.asleep where beat = $1`, [beat]);
        await host.query(`update ${in_}.process set until = 'infinity' where beat = $1`, [beat]);
      }
    });
  }

  listen(): void {}

  async close(): Promise<void> {
    for (const { backend } of this.#nodes.values()) await backend.close();
    await this.#host.query(`drop schema ${this.#schema} cascade`);
  }

  async #begin(nodeId: string): Promise<void> {
    const backend = this.#host.backend({ schema: this.#schema, leaseMs: ENDLESS_MS });
    await backend.readSession({ sessionKey: 'any', nodeId, watch: true });
    const beats = await this.#host.query(`select beat from ${this.#schema}.process`);
    const known = [...this.#nodes.values()].map(({ beat }) => beat);
    const own = beats.map(({ beat }) => beat as string).find((beat) => !known.includes(beat));
    this.#nodes.set(nodeId, { backend, beat: own as string });
  }
}
