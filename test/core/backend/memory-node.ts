import type {
  ClaimAnswer,
  ClaimRequest,
  EndAnswer,
  EndRequest,
  LockAnswer,
  LockRequest,
  Memory,
  Notices,
  ReservedEpilogue,
  StopAnswer,
  StopItem,
  StopRequest,
  UnlockAnswer,
} from 'runfence/backend';

/** What a node that is asked for nothing special asks of a memory. It keeps what it has seen, as a node does. */
export class MemoryNode {
  readonly nodeId: string;
  readonly #memory: Memory;
  readonly #seen = new Map<string, number>();
  #attempts = 0;

  constructor(memory: Memory, nodeId = 'n') {
    this.#memory = memory;
    this.nodeId = nodeId;
  }

  claim(runId: string, more: Partial<ClaimRequest> = {}): ClaimAnswer {
    const request: ClaimRequest = {
      ...this.#base(more.sessionKey),
      ...{ runId, isOwnId: false, attempt: this.#attempt(), kind: 'chat', owner: undefined, tags: [] },
      ...{ fingerprint: undefined, graceMs: 5_000, hasEpilogue: false, mode: 'concurrent', whenQuiet: false },
      ...{ replaces: [], beside: [], repeats: undefined, since: undefined, listSince: undefined, judged: 0 },
      ...more,
    };
    return this.#see(request.sessionKey, this.#memory.claim(request) as ClaimAnswer);
  }

  /** The generation of a run that is granted. */
  begin(runId: string, more: Partial<ClaimRequest> = {}): number {
    const answer = this.claim(runId, more);
    if (answer.kind !== 'granted') throw new Error(answer.kind);
    return answer.generation;
  }

  stop(more: Partial<Omit<StopRequest, 'runs'>> & { readonly runs?: readonly Item[] } = {}): StopAnswer {
    const { runs = [], ...rest } = more;
    const request: StopRequest = {
      ...this.#base(more.sessionKey),
      ...{
        attempt: this.#attempt(),
        reason: 'user',
        select: undefined,
        record: undefined,
        number: undefined,
        named: [],
      },
      runs: runs.map((item) => ({ revoke: undefined, hasEpilogue: false, ...item })),
      ...rest,
    };
    return this.#see(request.sessionKey, this.#memory.stop(request) as StopAnswer);
  }

  /** The tokens of the epilogues of what is stopped. */
  reserve(...runs: Item[]): number[] {
    return this.stop({ runs }).epilogues.map(({ token }: ReservedEpilogue) => token);
  }

  end(runId: string, generation: number, more: Partial<EndRequest> = {}): EndAnswer {
    const request: EndRequest = {
      ...this.#base(more.sessionKey),
      ...{ runId, generation, status: 'completed', reason: undefined, report: undefined, retain: true },
      ...more,
    };
    return this.#see(request.sessionKey, this.#memory.end(request) as EndAnswer);
  }

  lock(more: Partial<LockRequest> = {}): LockAnswer {
    const since = 5;
    const request: LockRequest = {
      ...this.#base(more.sessionKey),
      ...{ run: undefined, attempt: this.#attempt(), reserved: undefined, since },
      ...more,
    };
    return this.#see(request.sessionKey, this.#memory.lock(request) as LockAnswer);
  }

  /** The token of a lock that is granted. */
  hold(more: Partial<LockRequest> = {}): number {
    const answer = this.lock(more);
    if (answer.kind !== 'granted') throw new Error(answer.kind);
    return answer.token;
  }

  unlock(token: number, sessionKey?: string): boolean {
    const base = this.#base(sessionKey);
    return this.#see(base.sessionKey, this.#memory.unlock({ ...base, token }) as UnlockAnswer).wasHeld;
  }

  listen(changed: Notices['changed']): () => void {
    const nothing = (): void => {};
    return this.#memory.subscribe(this.nodeId, {
      changed,
      ...{ listed: nothing, gap: nothing, lost: nothing, orphaned: nothing },
    });
  }

  #base(sessionKey = 's'): { sessionKey: string; nodeId: string; seen: number } {
    return { sessionKey, nodeId: this.nodeId, seen: this.#seen.get(sessionKey) ?? 0 };
  }

  #see<T extends { readonly version: number }>(sessionKey: string, answer: T): T {
    this.#seen.set(sessionKey, answer.version);
    return answer;
  }

  #attempt(): number {
    this.#attempts += 1;
    return this.#attempts;
  }
}

type Item = Pick<StopItem, 'runId' | 'generation'> & Partial<StopItem>;
