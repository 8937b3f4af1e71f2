import type { StagedScenario } from './options.js';
import type { Scenario } from './scenario.js';

interface Staged {
  /** What has to be seen. */
  readonly what: string;
  /** Why a backend that does not stage it cannot have it. */
  readonly lacks: string;
}

const STAGED: Readonly<Record<StagedScenario, Staged>> = {
  'pid-of-another': {
    what: 'a pid that belongs to another process now is dead; a pid of another host or namespace proves nothing',
    lacks: 'it keeps no processes’ ids',
  },
  'server-restarts': {
    what: 'the server is killed and restarted between claim and release: no number is lower',
    lacks: 'it has no server',
  },
  'failover-loses-writes': {
    what: 'a server that has lost writes takes over: no number comes twice, and all records are newer than what was answered',
    lacks: 'it has no server',
  },
  'lease-not-renewed': {
    what: 'a node that cannot renew its lease cuts its own runs before the server lets anyone else in',
    lacks: 'it has no lease on a server',
  },
  'lease-is-its-owners': {
    what: 'a lease is as long as its owner says: a node with a shorter one of its own does not take it away earlier',
    lacks: 'all its leases are equally long',
  },
  'connection-killed': {
    what: 'a connection that the server kills: subscribed again, the truth is read, the missed stop applied',
    lacks: 'it has no server',
  },
  'connection-half-open': {
    what: 'a connection that is half open is noticed within 8 s',
    lacks: 'it has no server',
  },
  'deleted-by-hand': {
    what: 'the lock of a live process is deleted by hand: a loss, and no crash',
    lacks: 'it keeps nothing that a hand could delete',
  },
  'store-broken': {
    what: 'the store is full, read-only, broken or half written: a typed error, and no half claim',
    lacks: 'it keeps nothing outside its process',
  },
  'slow-release': {
    what: 'no loss is told after a clean release, however slow the store was',
    lacks: 'its locks have no heartbeat',
  },
};

/** Scenarios of one sort of store, which only its own tests can stage. */
export const staged: readonly Scenario[] = (Object.keys(STAGED) as StagedScenario[]).map((slug) => ({
  name: `${slug}: ${STAGED[slug].what}`,
  lacks: ({ staged: given = {} }) => {
    const stage = given[slug] ?? STAGED[slug].lacks;
    return typeof stage === 'string' ? stage : undefined;
  },
  timeoutMs: 60_000,
  run: async ({ options }) => {
    const stage = options.staged?.[slug];
    if (typeof stage === 'function') await stage();
  },
}));
