import type { Wire } from './client.js';
import { asError, closed, outOfReach } from './errors.js';
import { infoFrom, serverProblems } from './health.js';
import { Hearing } from './hearing.js';
import { Janitor } from './janitor.js';
import type { ListJson } from './json.js';
import { Lease } from './lease.js';
import type { ScriptName } from './lua/index.js';
import type { Nodes } from './nodes.js';
import type { ReadOptions } from './options.js';
import { type From, Sender } from './sender.js';
import { within } from './timing.js';

/** How long the connection on which this process listens may be silent when it is asked, or be opened, in ms. */
const MOST_SILENCE_MS = 2_500;

type RenewJson = readonly [
  hadLease: boolean,
  counter: number,
  changed: readonly (readonly [sessionKey: string, version: number])[],
  list: ListJson | null,
  dead: number,
  orphans: number,
];

/** One stay of this process in the store, under a name of its own: its lease, and what it hears. */
interface Stay {
  readonly beat: string;
  readonly lease: Lease;
  readonly hearing: Hearing;
  /** The counter at the last renewal. */
  since: number;
}

/**
 * The presence of this process in the store. It begins with the first request, or with the first node that listens, and
 * ends with `close`. After that only another node that listens begins it again.
 */
export class Presence {
  readonly #wire: Wire;
  readonly #prefix: string;
  readonly #leaseMs: number;
  readonly #nodes: Nodes;
  readonly #sender: Sender;
  readonly #janitor: Janitor;
  readonly #onWarning: (message: string) => void;
  readonly #warned: Set<string> = new Set();
  #opening: Promise<Stay> | undefined;
  #stay: Stay | undefined;
  #isClosed = false;

  constructor(wire: Wire, options: ReadOptions, nodes: Nodes) {
    const { prefix, leaseMs, retainMs, onWarning } = options;
    this.#wire = wire;
    this.#prefix = prefix;
    this.#leaseMs = leaseMs;
    this.#nodes = nodes;
    this.#onWarning = onWarning;
    this.#sender = new Sender(wire, prefix, () => this.#newLine());
    this.#janitor = new Janitor(leaseMs, retainMs, nodes, (name, request) => this.send(name, request));
  }

  get aliveUntil(): number {
    return this.#stay?.lease.until ?? Number.POSITIVE_INFINITY;
  }

  get isListening(): boolean {
    return this.#stay?.hearing.isOpen === true;
  }

  /** The process in which a node lives, if it is this one. */
  beatOf(nodeId: string): string | undefined {
    return this.#nodes.has(nodeId) ? this.#stay?.beat : undefined;
  }

  /** The line that answers this process. */
  get line(): string {
    const { line } = this.#sender;
    if (line === undefined) throw outOfReach('Redis has not answered this process yet.');
    return line;
  }

  async send<Answer>(name: ScriptName, request: object): Promise<Answer> {
    // What comes after the end would open a connection that nobody closes.
    if (this.#isClosed && this.#nodes.size === 0) throw closed();
    const stay = this.#stay ?? (await this.open());
    // Closed while it opened.
    if (stay !== this.#stay) throw closed();
    this.checkLease();
    return this.#sender.send<Answer>(name, this.#from(stay), request);
  }

  /** Throws at once: who is told of the loss reads, and must not wait for a server that does not answer. */
  checkLease(): void {
    if (this.#stay?.lease.isLost === true) {
      throw outOfReach('The lease of this process has ended, and Redis does not renew it: nothing was started.');
    }
  }

  /** A failure is forgotten: the next request tries again. */
  open(): Promise<Stay> {
    this.#isClosed = false;
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const opening = this.#opening;
    if (opening === undefined) return;
    const stay = await opening.catch(() => undefined);
    if (stay === undefined || this.#stay !== stay) return;
    this.#stay = undefined;
    this.#opening = undefined;
    const { isLost } = stay.lease;
    stay.lease.end();
    stay.hearing.close();
    if (isLost) return;
    const leave = async (): Promise<void> => {
      await this.#janitor.idle;
      await this.#sender.send('leave', this.#from(stay), {});
    };
    // If it is not heard, the lease ends by itself.
    await within('Leaving Redis', MOST_SILENCE_MS, leave()).catch(() => {});
  }

  async #open(): Promise<Stay> {
    const beat = crypto.randomUUID();
    const channels = [`${this.#wire.keyPrefix}${this.#prefix}b:${beat}`, `${this.#wire.keyPrefix}${this.#prefix}all`];
    const hearer = { message: (text: string) => this.#nodes.hear(text), gap: () => this.#nodes.gap() };
    const stay: Stay = {
      beat,
      hearing: new Hearing(this.#wire, channels, hearer, MOST_SILENCE_MS),
      lease: new Lease(this.#leaseMs, {
        renew: () => this.#renew(stay),
        renewedAfterGap: () => this.#nodes.gap(),
        lost: () => this.#nodes.lost(),
      }),
      since: 0,
    };
    try {
      await stay.hearing.open();
      await stay.lease.begin();
    } catch (error) {
      stay.hearing.close();
      throw asError(error);
    }
    this.#stay = stay;
    void this.#warn();
    return stay;
  }

  /** Once for each thing that the server may lose. What the host's function throws is not ours. */
  async #warn(): Promise<void> {
    try {
      const info = infoFrom(String(await this.#wire.send(['INFO'])));
      for (const problem of serverProblems(info)) {
        if (this.#warned.has(problem)) continue;
        this.#warned.add(problem);
        this.#onWarning(problem);
      }
    } catch {
      // A server that does not answer is told by the requests.
    }
  }

  async #renew(stay: Stay): Promise<{ readonly hadLease: boolean }> {
    void stay.hearing.look();
    const request = { leaseMs: this.#leaseMs, since: stay.since, listVersion: this.#nodes.listVersion };
    const answer = await this.#sender.send<RenewJson>('renew', this.#from(stay), request);
    const [hadLease, counter, changed, list, dead, orphans] = answer;
    if (this.#stay !== stay && stay.since > 0) return { hadLease };
    stay.since = counter;
    for (const [sessionKey, version] of changed) this.#nodes.changed(sessionKey, version);
    if (list !== null) this.#nodes.listed(list);
    if (dead > 0 || orphans > 0) this.#janitor.work(dead > 0);
    return { hadLease };
  }

  #from({ beat }: Stay): From {
    return { beat, tellsOwn: this.#nodes.size > 1 };
  }

  /** Leases may be lost with the rest. */
  #newLine(): void {
    void this.#stay?.lease.renewNow();
    this.#nodes.gap();
  }
}
