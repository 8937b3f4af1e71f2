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
  LockRequest,
  Memory,
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
import { type Judged, NOBODY } from './desk.js';
import { Ids } from './ids.js';
import { Janitor } from './janitor.js';
import { listFromJson } from './json.js';
import { EMPTY_LIST } from './list.js';
import { Orphans } from './orphans.js';
import { isLive } from './shard.js';
import { Shards } from './shards.js';
import { Store } from './store.js';
import { Watch } from './watch.js';

/** The sessions of all processes that use one folder. */
export class FilesBackend implements Backend {
  readonly scope = 'host';
  readonly synchronous = false;
  readonly #store: Store;
  readonly #watch: Watch;
  readonly #shards: Shards;
  readonly #ids: Ids;

  constructor(options: { readonly dir: string; readonly staleMs: number; readonly isDurable: boolean }) {
    const listener = { onLost: () => this.#watch.lost(), onGap: () => this.#watch.gap() };
    this.#store = new Store({ ...options, listener });
    const orphans = new Orphans(this.#store, () => this.#watch.anyNode);
    this.#watch = new Watch(this.#store, new Janitor(this.#store, orphans));
    this.#shards = new Shards(this.#store, this.#watch);
    this.#ids = new Ids(this.#store, async (runId, sessionKey) =>
      (await this.#shards.read(sessionKey)).readRun({ runId, sessionKey, nodeId: '', watch: false }),
    );
  }

  aliveUntil(): number {
    return this.#store.aliveUntil;
  }

  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    await this.#store.open();
    // Read after the call: a stop that was acknowledged before it is in the list, and does not concern this run.
    const { version: listNow } = (await this.#store.list.read())?.list ?? EMPTY_LIST;
    const filled = { ...request, listSince: request.listSince ?? listNow };
    let judged = NOBODY;
    for (;;) {
      const refused = judged === NOBODY ? await this.#shards.rehearse(filled) : undefined;
      const answer = refused ?? (await this.#claim(filled, judged));
      const gone = isInTheWay(answer, request) ? await this.#shards.judge(request, judged) : undefined;
      if (gone === undefined) return 'listNow' in answer ? { ...answer, listNow } : answer;
      judged = gone;
    }
  }

  stop(request: StopRequest): Promise<StopAnswer> {
    return this.#shards.operate(request, NOBODY, (backend) => {
      const answer = backend.stop(request) as StopAnswer;
      return { answer, mustLast: answer.epilogues.length > 0 || answer.number !== undefined };
    });
  }

  async stopEverywhere(request: StopEverywhereRequest): Promise<StopEverywhereAnswer> {
    await this.#store.open();
    const { nodeId } = request;
    const { answer, before, version } = await this.#store.list.change((desk, beat) => {
      const before = desk.version;
      const answer = desk.work(nodeId, beat, (backend) => backend.stopEverywhere(request) as StopEverywhereAnswer);
      return { answer: { answer, before, version: desk.version }, mustLast: true };
    });
    this.#watch.listAnswered(nodeId, before, version);
    return answer;
  }

  async end(request: EndRequest): Promise<EndAnswer> {
    let isFree = false;
    const answer = await this.#shards.operate(request, NOBODY, (backend) => {
      const given = backend.end(request) as EndAnswer;
      isFree = readRun(backend, request) === undefined;
      return { answer: given, mustLast: false };
    });
    if (isFree) await this.#ids.release(request);
    return answer;
  }

  announce(request: AnnounceRequest): Promise<AnnounceAnswer> {
    return this.#shards.operate(request, NOBODY, (backend) => {
      const answer = backend.announce(request) as AnnounceAnswer;
      return { answer, mustLast: answer.epilogue !== undefined };
    });
  }

  async lock(request: LockRequest): Promise<LockAnswer> {
    let judged = NOBODY;
    for (;;) {
      const answer = await this.#shards.operate(request, judged, (backend) => {
        const given = backend.lock(request) as LockAnswer;
        return { answer: given, mustLast: given.kind === 'granted' };
      });
      const gone = answer.kind === 'busy' ? await this.#shards.judge(request, judged) : undefined;
      if (gone === undefined) return answer;
      judged = gone;
    }
  }

  unlock(request: UnlockRequest): Promise<UnlockAnswer> {
    return this.#shards.operate(request, NOBODY, (backend) => ({
      answer: backend.unlock(request) as UnlockAnswer,
      mustLast: false,
    }));
  }

  async check(request: CheckRequest): Promise<boolean> {
    return (await this.#shards.read(request.sessionKey)).check(request);
  }

  async readSession(request: ReadSessionRequest): Promise<Snapshot> {
    return (await this.#shards.read(request.sessionKey, request)).readSession(request);
  }

  async readRun(request: ReadRunRequest): Promise<StoredRun | undefined> {
    const { runId } = request;
    const sessionKey = request.sessionKey ?? (await this.#ids.sessionOf(runId));
    if (sessionKey === undefined) return undefined;
    return (await this.#shards.read(sessionKey, request)).readRun({ ...request, sessionKey });
  }

  async readNode(nodeId: string): Promise<readonly Snapshot[]> {
    const all = await this.#shards.readAll(nodeId);
    return all.flatMap((backend) => backend.readNode(nodeId) as readonly Snapshot[]);
  }

  async readActive(): Promise<readonly StoredRun[]> {
    const all = await this.#shards.readAll();
    return all.flatMap((backend) => backend.readActive() as readonly StoredRun[]);
  }

  async readStops(): Promise<StopList> {
    await this.#store.open();
    return listFromJson((await this.#store.list.read())?.list ?? EMPTY_LIST);
  }

  async forget(request: ForgetRequest): Promise<void> {
    if ('listed' in request) {
      await this.#store.open();
      await this.#store.list.change((desk) => ({ answer: desk.backend.forget(request), mustLast: false }));
      return;
    }
    const owner = await this.#shards.change(request.sessionKey, (backend) => {
      const run = 'runId' in request ? readRun(backend, request) : undefined;
      backend.forget(request);
      return run !== undefined && readRun(backend, run) === undefined ? run.nodeId : undefined;
    });
    if ('runId' in request && owner !== undefined) await this.#ids.release({ ...request, nodeId: owner });
  }

  subscribe(nodeId: string, notices: Notices): () => void {
    return this.#watch.subscribe(nodeId, notices);
  }

  async close(): Promise<void> {
    if (!this.#watch.isIdle) return;
    await this.#watch.stop();
    await this.#store.close();
  }

  /** Its id is reserved first: ids are unique over all sessions. */
  #claim(request: ClaimRequest, judged: Judged): Promise<ClaimAnswer> {
    const act = async (): Promise<{ answer: ClaimAnswer; isKept: boolean }> => {
      const answer = await this.#shards.operate(request, judged, (backend) => {
        const given = backend.claim(request) as ClaimAnswer;
        return { answer: given, mustLast: given.kind === 'granted' };
      });
      const isOwn = answer.kind === 'duplicate' && answer.run.nodeId === request.nodeId;
      return { answer, isKept: answer.kind === 'granted' || isOwn };
    };
    return this.#ids.reserved(request, act, async (other) => {
      const run = await this.#shards.otherRun(request, other);
      const backend = await this.#shards.read(request.sessionKey);
      const snapshot = backend.readSession({ ...request, watch: false }) as Snapshot;
      return { kind: 'duplicate', run, version: snapshot.version, snapshot };
    });
  }
}

/** A probe is never granted, and takes nothing from anybody. */
function isInTheWay(answer: ClaimAnswer, request: ClaimRequest): boolean {
  if (request.mode === 'probe') return false;
  if (answer.kind === 'duplicate') return isLive(answer.run.status) && answer.run.nodeId !== request.nodeId;
  return answer.kind === 'busy' || answer.kind === 'not-quiet';
}

function readRun(
  backend: Memory,
  { sessionKey, runId }: { readonly sessionKey: string; readonly runId: string },
): StoredRun | undefined {
  return backend.readRun({ sessionKey, runId, nodeId: '', watch: false }) as StoredRun | undefined;
}
