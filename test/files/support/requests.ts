import type {
  Backend,
  ClaimGranted,
  ClaimRequest,
  EndRequest,
  LockGranted,
  LockRequest,
  StopEverywhereRequest,
  StopRequest,
} from 'runfence/backend';

let attempts = 0;

/** What nodes say to a backend, without a control. */
export function claimOf(nodeId: string, more: Partial<ClaimRequest> = {}): ClaimRequest {
  attempts += 1;
  return {
    sessionKey: 's',
    nodeId,
    seen: 0,
    runId: `run of ${nodeId}`,
    isOwnId: false,
    attempt: attempts,
    kind: 'chat',
    owner: undefined,
    tags: [],
    fingerprint: undefined,
    graceMs: 5_000,
    hasEpilogue: false,
    mode: 'exclusive',
    whenQuiet: false,
    replaces: [],
    beside: [],
    repeats: undefined,
    since: undefined,
    listSince: undefined,
    judged: 0,
    ...more,
  };
}

export function stopOf(nodeId: string, more: Partial<StopRequest> = {}): StopRequest {
  attempts += 1;
  const selector = { sessionKey: more.sessionKey ?? 's' };
  return {
    sessionKey: 's',
    nodeId,
    seen: 0,
    attempt: attempts,
    reason: 'user',
    runs: [],
    select: selector,
    record: { selector, requester: undefined, intent: false },
    number: undefined,
    named: [],
    ...more,
  };
}

export function everywhereOf(nodeId: string, more: Partial<StopEverywhereRequest> = {}): StopEverywhereRequest {
  attempts += 1;
  return { nodeId, attempt: attempts, selector: {}, requester: undefined, reason: 'user', number: undefined, ...more };
}

export function endOf(nodeId: string, generation: number, more: Partial<EndRequest> = {}): EndRequest {
  return {
    sessionKey: 's',
    nodeId,
    seen: 0,
    runId: `run of ${nodeId}`,
    generation,
    status: 'completed',
    reason: undefined,
    report: undefined,
    retain: false,
    ...more,
  };
}

export function lockOf(nodeId: string, generation: number | undefined, more: Partial<LockRequest> = {}): LockRequest {
  attempts += 1;
  const run = generation === undefined ? undefined : { runId: `run of ${nodeId}`, generation };
  return { sessionKey: 's', nodeId, seen: 0, run, attempt: attempts, reserved: undefined, since: 0, ...more };
}

/** The answer of a claim that must be granted. */
export async function granted(
  backend: Backend,
  nodeId: string,
  more: Partial<ClaimRequest> = {},
): Promise<ClaimGranted> {
  const answer = await backend.claim(claimOf(nodeId, more));
  if (answer.kind !== 'granted') throw new Error(`${nodeId} was answered ${JSON.stringify(answer)}`);
  return answer;
}

/** The token of a lock that must be granted. */
export async function locked(backend: Backend, nodeId: string, generation: number | undefined): Promise<number> {
  const answer = await backend.lock(lockOf(nodeId, generation));
  if (answer.kind !== 'granted') throw new Error(`${nodeId} was answered ${JSON.stringify(answer)}`);
  return (answer as LockGranted).token;
}
