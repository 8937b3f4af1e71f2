import type {
  AnnounceAnswer,
  AnnounceRequest,
  Answered,
  CheckRequest,
  ClaimAnswer,
  ClaimRequest,
  EndAnswer,
  EndRequest,
  ForgetRequest,
  LockAnswer,
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
import type { Wire } from './client.js';
import { fenceOf, type RedisFence, type RedisFenceTarget, type RedisWrite, Writes } from './fence.js';
import { healthOf, type RedisHealth } from './health.js';
import type { RedisBackend } from './index.js';
import {
  type EpilogueJson,
  epiloguesFrom,
  type HolderJson,
  holderFrom,
  type ListJson,
  listFrom,
  type RunJson,
  reportOf,
  runFrom,
  runInfo,
  type SnapshotJson,
  type StopJson,
  saidOf,
  snapshotFrom,
  stopFrom,
} from './json.js';
import { Nodes } from './nodes.js';
import type { ReadOptions } from './options.js';
import { Presence } from './presence.js';
import { Records } from './records.js';

type About = readonly [version: number, snapshot: SnapshotJson | null];
type ClaimJson =
  | readonly ['granted', generation: number, listSince: number, epilogues: readonly EpilogueJson[], ...About]
  | readonly ['duplicate', run: RunJson, ...About]
  | readonly ['stopped', stops: readonly StopJson[], now: number, ...About]
  | readonly ['busy' | 'not-quiet', now: number, version: number, snapshot: SnapshotJson];
type StopAnswerJson = readonly [
  number: number | null,
  runs: readonly (readonly [runId: string, found: StopAnswer['runs'][number]['found'], run: RunJson | null])[],
  epilogues: readonly EpilogueJson[],
  ...About,
];
type EndJson =
  | readonly ['ended', run: RunJson | null, ...About]
  | readonly ['stopping', run: RunJson, epilogue: number | null, ...About];
type AnnounceJson = readonly [AnnounceAnswer['kind'], epilogue: number | null, ...About];
type LockJson =
  | readonly ['granted', token: number, ...About]
  | readonly ['busy', holder: HolderJson | null, ...About]
  | readonly ['stale', ...About];

/** The sessions of all processes that use one Redis under one prefix. Each method is one script. */
export class RedisStore implements RedisBackend {
  readonly scope = 'cluster';
  readonly synchronous = false;
  readonly #wire: Wire;
  readonly #options: ReadOptions;
  readonly #nodes: Nodes = new Nodes();
  readonly #presence: Presence;
  readonly #records: Records;
  readonly #writes: Writes;

  constructor(wire: Wire, options: ReadOptions) {
    this.#wire = wire;
    this.#options = options;
    this.#presence = new Presence(wire, options, this.#nodes);
    this.#records = new Records(this.#presence);
    this.#writes = new Writes(wire);
  }

  aliveUntil(): number {
    return this.#presence.aliveUntil;
  }

  health(): Promise<RedisHealth> {
    return healthOf(this.#wire, this.#presence);
  }

  fence(target: RedisFenceTarget): RedisFence {
    return fenceOf(this.#options.prefix, target, this.#presence.line);
  }

  async write(target: RedisFenceTarget, write: RedisWrite): Promise<unknown> {
    this.#presence.checkLease();
    return this.#writes.write(this.fence(target), write);
  }

  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    const { owner: _, tags: _tags, kind: _kind, fingerprint: _print, graceMs: _grace, ...rest } = request;
    const answer = await this.#change<ClaimJson>('claim', { ...rest, info: runInfo(request) });
    switch (answer[0]) {
      case 'granted': {
        const [kind, generation, listSince, epilogues, ...about] = answer;
        return { kind, generation, listSince, epilogues: epiloguesFrom(epilogues), ...answered(about) };
      }
      case 'duplicate': {
        const [kind, run, ...about] = answer;
        return { kind, run: runFrom(run), ...answered(about) };
      }
      case 'stopped': {
        const [kind, stops, now, ...about] = answer;
        return { kind, stops: stops.map(stopFrom), now, listNow: now, ...answered(about) };
      }
      default: {
        const [kind, now, version, snapshot] = answer;
        return { kind, now, listNow: now, version, snapshot: snapshotFrom(snapshot) };
      }
    }
  }

  async stop(request: StopRequest): Promise<StopAnswer> {
    const { record, reason, detail } = request;
    const kept = record && {
      intent: record.intent,
      aimedAt: record.selector.runId,
      said: saidOf({ ...record, reason, ...(detail !== undefined && { detail }) }),
    };
    const answer = await this.#change<StopAnswerJson>('stop', { ...request, record: kept });
    const [number, runs, epilogues, ...about] = answer;
    return {
      number: number ?? undefined,
      runs: runs.map(([runId, found, run]) => ({ runId, found, run: run === null ? undefined : runFrom(run) })),
      epilogues: epiloguesFrom(epilogues),
      ...answered(about),
    };
  }

  async stopEverywhere(request: StopEverywhereRequest): Promise<StopEverywhereAnswer> {
    const { nodeId, attempt, intent, number } = request;
    const said = saidOf(request);
    const change = { nodeId, attempt, intent, number, aimedAt: request.selector.runId, said };
    const [given] = await this.#change<readonly [number, number | null]>('stopEverywhere', change);
    return { number: given };
  }

  async end(request: EndRequest): Promise<EndAnswer> {
    const answer = await this.#change<EndJson>('end', { ...request, report: reportOf(request.report) });
    if (answer[0] === 'ended') {
      const [kind, run, ...about] = answer;
      return { kind, run: run === null ? undefined : runFrom(run), ...answered(about) };
    }
    const [kind, run, epilogue, ...about] = answer;
    return { kind, run: runFrom(run), epilogue: epilogue ?? undefined, ...answered(about) };
  }

  async announce(request: AnnounceRequest): Promise<AnnounceAnswer> {
    const change = { ...request, report: reportOf(request.report) };
    const [kind, epilogue, ...about] = await this.#change<AnnounceJson>('announce', change);
    return { kind, epilogue: epilogue ?? undefined, ...answered(about) };
  }

  async lock(request: LockRequest): Promise<LockAnswer> {
    const answer = await this.#change<LockJson>('lock', request);
    switch (answer[0]) {
      case 'granted': {
        const [kind, token, ...about] = answer;
        return { kind, token, ...answered(about) };
      }
      case 'busy': {
        const [kind, holder, ...about] = answer;
        return { kind, holder: holderFrom(holder), ...answered(about) };
      }
      default: {
        const [kind, ...about] = answer;
        return { kind, ...answered(about) };
      }
    }
  }

  async unlock(request: UnlockRequest): Promise<UnlockAnswer> {
    const [wasHeld, ...about] = await this.#change<readonly [boolean, ...About]>('unlock', request);
    return { wasHeld, ...answered(about) };
  }

  async check(request: CheckRequest): Promise<boolean> {
    return this.#presence.send<boolean>('check', request);
  }

  async readSession(request: ReadSessionRequest): Promise<Snapshot> {
    return snapshotFrom(await this.#presence.send<SnapshotJson>('readSession', request));
  }

  async readRun(request: ReadRunRequest): Promise<StoredRun | undefined> {
    const run = await this.#presence.send<RunJson | null>('readRun', request);
    return run === null ? undefined : runFrom(run);
  }

  readNode(nodeId: string): Promise<readonly Snapshot[]> {
    return this.#records.ofNode(nodeId);
  }

  readActive(): Promise<readonly StoredRun[]> {
    return this.#records.active();
  }

  async readStops(): Promise<StopList> {
    return listFrom(await this.#presence.send<ListJson>('readStops', {}));
  }

  async forget(request: ForgetRequest): Promise<void> {
    await this.#change('forget', request);
  }

  subscribe(nodeId: string, notices: Notices): () => void {
    // If it fails, the first request says why.
    this.#presence.open().catch(() => {});
    return this.#nodes.add(nodeId, notices);
  }

  /** The host's client is the host's: only what was opened beside it is closed. */
  async close(): Promise<void> {
    if (this.#nodes.size === 0) await this.#presence.close();
  }

  #change<Json>(name: Parameters<Presence['send']>[0], request: object): Promise<Json> {
    return this.#presence.send<Json>(name, { ...request, retainMs: this.#options.retainMs });
  }
}

function answered([version, snapshot]: About): Answered {
  return { version, snapshot: snapshot === null ? undefined : snapshotFrom(snapshot) };
}
