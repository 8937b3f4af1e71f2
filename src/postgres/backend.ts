import type {
  AnnounceAnswer,
  AnnounceRequest,
  Backend,
  CheckRequest,
  ClaimAnswer,
  ClaimRequest,
  EndAnswer,
  EndRequest,
  ForgetRequest,
  LockAnswer,
  LockHolder,
  LockRequest,
  Notices,
  ReadRunRequest,
  ReadSessionRequest,
  Snapshot,
  StopAnswer,
  StopEverywhereAnswer,
  StopEverywhereRequest,
  StopList,
  StopRequest,
  StoredRun,
  UnlockAnswer,
  UnlockRequest,
} from '../backend/index.js';
import {
  type Answer,
  answered,
  type ClaimAnswered,
  claimAnswer,
  type EndAnswered,
  endAnswer,
  type Hint,
  holderOf,
  listOf,
  runOf,
  type StopAnswered,
  type StoredListed,
  type StoredSnapshot,
  snapshotOf,
  stopAnswer,
} from './answers.js';
import type { Calls } from './calls.js';
import { Hearing } from './hearing.js';
import { Hints } from './hints.js';
import { Lease } from './lease.js';
import { News } from './news.js';
import { Nodes } from './nodes.js';
import { Sweeper } from './sweeper.js';
import { storedRequester } from './text.js';
import type { Wire } from './wire.js';

/** The sessions of all processes that use one schema. Each operation is one call of one function. */
export class PostgresBackend implements Backend {
  readonly scope = 'cluster';
  readonly synchronous = false;
  readonly #calls: Calls;
  readonly #lease: Lease;
  readonly #hearing: Hearing;
  readonly #hints: Hints;
  readonly #news: News;
  readonly #nodes: Nodes = new Nodes();
  readonly #sweeper: Sweeper;

  constructor(wire: Wire, calls: Calls, leaseMs: number) {
    this.#calls = calls;
    this.#hints = new Hints(calls);
    this.#news = new News(calls, this.#nodes, () => this.#lease.beat);
    this.#hearing = new Hearing(wire, calls, {
      heard: (text) => this.#news.heard(text),
      look: () => this.#lease.isOpen && this.#news.look(),
      mustRenew: () => void (this.#lease.isOpen && this.#lease.renew()),
      since: () => this.#news.known.since,
    });
    this.#lease = new Lease(calls, leaseMs, this.#hearing, {
      opened: () => this.#opened(),
      changed: (changes) => this.#news.changed(changes),
      gap: () => this.#news.gap(),
      lost: () => this.#nodes.lost(),
    });
    this.#sweeper = new Sweeper(calls, this.#lease, leaseMs, (answer) => this.#tell(answer));
  }

  /** How well this process is connected. */
  get state(): { readonly isOpen: boolean; readonly isHearing: boolean; readonly aliveMs: number } {
    const { isOpen, until } = this.#lease;
    return { isOpen, isHearing: this.#hearing.isHearing, aliveMs: until - performance.now() };
  }

  aliveUntil(): number {
    return this.#lease.until;
  }

  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    return claimAnswer(await this.#operate<ClaimAnswered>('claim_run', request));
  }

  async stop({ record, ...request }: StopRequest): Promise<StopAnswer> {
    const kept = record && { ...record, requester: storedRequester(record.requester) };
    return stopAnswer(await this.#operate<StopAnswered>('stop_runs', { ...request, record: kept }));
  }

  async stopEverywhere({ requester, ...request }: StopEverywhereRequest): Promise<StopEverywhereAnswer> {
    const stop = { ...request, requester: storedRequester(requester) };
    const { number, hints = [] } = await this.#lease.call<{ number: number; hints?: Hint[] }>('list_stop', stop);
    this.#tell({ hints });
    return { number };
  }

  async end(request: EndRequest): Promise<EndAnswer> {
    return endAnswer(await this.#operate<EndAnswered>('end_run', request));
  }

  async announce(request: AnnounceRequest): Promise<AnnounceAnswer> {
    const answer = await this.#operate<Answer & { kind: 'announced' | 'stale'; epilogue?: number }>(
      'announce_run',
      request,
    );
    return { kind: answer.kind, epilogue: answer.epilogue, ...answered(answer) };
  }

  async lock(request: LockRequest): Promise<LockAnswer> {
    const answer = await this.#operate<
      Answer & { kind: 'granted' | 'busy' | 'stale'; token: number; holder?: LockHolder }
    >('take_lock', request);
    const { kind, token } = answer;
    if (kind === 'granted') return { kind, token, ...answered(answer) };
    if (kind === 'busy') return { kind, holder: holderOf(answer.holder), ...answered(answer) };
    return { kind, ...answered(answer) };
  }

  async unlock(request: UnlockRequest): Promise<UnlockAnswer> {
    const answer = await this.#operate<Answer & { wasHeld: boolean }>('give_lock', request);
    return { wasHeld: answer.wasHeld, ...answered(answer) };
  }

  async check(request: CheckRequest): Promise<boolean> {
    return (await this.#ask<boolean>('check_run', [request])) === true;
  }

  async readSession(request: ReadSessionRequest): Promise<Snapshot> {
    return snapshotOf(await this.#read<StoredSnapshot>('read_session', request));
  }

  async readRun(request: ReadRunRequest): Promise<StoredRun | undefined> {
    const run = await this.#read<StoredRun | undefined>('read_run', request);
    return run && runOf(run);
  }

  async readNode(nodeId: string): Promise<readonly Snapshot[]> {
    return ((await this.#ask<StoredSnapshot[]>('read_node', [{ nodeId }])) ?? []).map(snapshotOf);
  }

  async readActive(): Promise<readonly StoredRun[]> {
    return ((await this.#ask<StoredRun[]>('read_active', [])) ?? []).map(runOf);
  }

  async readStops(): Promise<StopList> {
    return listOf((await this.#ask('read_list', [])) as { version: number; stops: StoredListed[] });
  }

  async forget(request: ForgetRequest): Promise<void> {
    await this.#ask('forget', [request]);
  }

  subscribe(nodeId: string, notices: Notices): () => void {
    // Out of reach, the first operation says so.
    this.#lease.open().catch(() => {});
    return this.#nodes.add(nodeId, notices);
  }

  async close(): Promise<void> {
    if (!this.#nodes.isEmpty) return;
    await this.#hints.sent();
    await this.#sweeper.stop();
    await this.#hearing.stop();
    this.#news.stop();
    await this.#lease.close();
  }

  #opened(): void {
    this.#news.start();
    this.#hearing.start();
    this.#sweeper.start();
  }

  async #operate<T extends Answer>(name: string, request: object): Promise<T> {
    const answer = await this.#lease.call<T>(name, request);
    this.#tell(answer);
    this.#news.known.saw(answer.id, answer.version);
    return answer;
  }

  /** A node that watches has to have a lease: it ends with it. */
  async #read<T>(name: string, request: { readonly watch: boolean }): Promise<T> {
    if (request.watch) await this.#lease.open();
    return (await this.#ask<T>(name, [this.#lease.beat, request])) as T;
  }

  async #ask<T>(name: string, values: readonly (string | object)[]): Promise<T | undefined> {
    this.#lease.refuseIfLost();
    return this.#calls.call<T>(name, values);
  }

  #tell({ hints, orphans }: { readonly hints: readonly Hint[]; readonly orphans?: boolean }): void {
    const others = hints.filter(({ to }) => to !== this.#hearing.channel);
    if (others.length > 0) this.#hints.send(others);
    for (const hint of hints) {
      if (hint.to !== this.#hearing.channel) continue;
      if ('list' in hint) this.#news.wantList(hint.list);
      else this.#news.want(hint.session, hint.version);
    }
    if (orphans === true) this.#news.tellOrphans(this.#lease.leaseMs).catch(() => {});
  }
}
