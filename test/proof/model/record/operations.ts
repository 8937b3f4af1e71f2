import type {
  AnnounceRequest,
  Backend,
  CheckRequest,
  ClaimRequest,
  EndRequest,
  ForgetRequest,
  LockRequest,
  ReadRunRequest,
  StopEverywhereRequest,
  StopRequest,
  UnlockRequest,
} from 'runfence/backend';
import { isLive } from './parts.js';
import type { Expected, Reference } from './reference.js';

/** What is asked of a record: the answer carries the record. */
export type Change =
  | { readonly kind: 'claim'; readonly request: ClaimRequest }
  | { readonly kind: 'stop'; readonly request: StopRequest }
  | { readonly kind: 'end'; readonly request: EndRequest }
  | { readonly kind: 'announce'; readonly request: AnnounceRequest }
  | { readonly kind: 'lock'; readonly request: LockRequest }
  | { readonly kind: 'unlock'; readonly request: UnlockRequest };

/** What is asked of the whole backend, or only read. */
export type Other =
  | { readonly kind: 'stopEverywhere'; readonly request: StopEverywhereRequest }
  | { readonly kind: 'forget'; readonly request: ForgetRequest }
  | { readonly kind: 'check'; readonly request: CheckRequest }
  | { readonly kind: 'readRun'; readonly request: ReadRunRequest }
  | { readonly kind: 'readNode' | 'readSession'; readonly request: string }
  | { readonly kind: 'readActive' | 'readStops' };

/** What becomes of a node. */
export type Turn = { readonly kind: 'lapse' | 'renew' | 'subscribe' | 'unsubscribe'; readonly nodeId: string };

export type Operation = Change | Other | Turn;

export function isChange(operation: Operation): operation is Change {
  return CHANGES.has(operation.kind);
}

const CHANGES: ReadonlySet<string> = new Set(['claim', 'stop', 'end', 'announce', 'lock', 'unlock']);

export function isTurn(operation: Operation): operation is Turn {
  return 'nodeId' in operation;
}

/** Puts an operation to a backend. */
export function ask(backend: Backend, operation: Change | Other): unknown {
  switch (operation.kind) {
    case 'claim':
      return backend.claim(operation.request);
    case 'stop':
      return backend.stop(operation.request);
    case 'end':
      return backend.end(operation.request);
    case 'announce':
      return backend.announce(operation.request);
    case 'lock':
      return backend.lock(operation.request);
    case 'unlock':
      return backend.unlock(operation.request);
    case 'stopEverywhere':
      return backend.stopEverywhere(operation.request);
    case 'forget':
      return backend.forget(operation.request);
    case 'check':
      return backend.check(operation.request);
    case 'readRun':
      return backend.readRun(operation.request);
    case 'readNode':
      return backend.readNode(operation.request);
    case 'readSession':
      return backend.readSession({ sessionKey: operation.request, nodeId: 'reader', watch: false });
    case 'readActive':
      return backend.readActive();
    case 'readStops':
      return backend.readStops();
  }
}

/** What the reference says to a change. */
export function expectChange(reference: Reference, operation: Change): Expected {
  switch (operation.kind) {
    case 'claim':
      return reference.claim(operation.request);
    case 'stop':
      return reference.stop(operation.request);
    case 'end':
      return reference.end(operation.request);
    case 'announce':
      return reference.announce(operation.request);
    case 'lock':
      return reference.lock(operation.request);
    case 'unlock':
      return reference.unlock(operation.request);
  }
}

/** What the reference says to the rest. */
export function expectOther(reference: Reference, operation: Other): unknown {
  const { world } = reference;
  switch (operation.kind) {
    case 'stopEverywhere':
      return reference.stopEverywhere(operation.request);
    case 'forget':
      return reference.forget(operation.request);
    case 'check':
      return reference.check(operation.request);
    case 'readRun': {
      const { runId, sessionKey = undefined } = operation.request;
      return world.stored((run) => run.runId === runId && (sessionKey ?? run.sessionKey) === run.sessionKey)[0];
    }
    case 'readNode': {
      const records = world.rooms.map((room) => world.snapshot(room));
      return records.filter(({ runs, reserved, holder }) =>
        [...runs, ...reserved, holder].some((part) => part?.nodeId === operation.request),
      );
    }
    case 'readSession':
      return world.snapshot(world.room(operation.request));
    case 'readActive':
      return world.stored(isLive);
    case 'readStops':
      return { version: world.listVersion, stops: world.list };
  }
}

/** What becomes of a node, in the reference. */
export function turn(reference: Reference, { kind, nodeId }: Turn): void {
  const { lapsed, nodes } = reference.world;
  if (kind === 'lapse') lapsed.add(nodeId);
  else if (kind === 'renew') lapsed.delete(nodeId);
  else if (kind === 'subscribe') nodes.add(nodeId);
  else if (nodes.delete(nodeId) && nodes.size === 0) reference.dropEnded();
}
