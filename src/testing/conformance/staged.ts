import type { StagedScenario } from './options.js';
import type { Scenario } from './scenario.js';

const NAMES: Readonly<Record<StagedScenario, string>> = {
  28: 'a pid that belongs to another process now is dead; a pid of another host or namespace proves nothing',
  30: 'the server is killed and restarted between claim and release: no number is lower',
  33: 'a node that cannot renew its lease cuts its own runs before the server lets anyone else in',
  36: 'a connection that the server kills: subscribed again, the truth is read, the missed stop applied',
  37: 'a connection that is half open is noticed within 8 s',
  45: 'the lock of a live process is deleted by hand: a loss, and no crash',
  46: 'the store is full, read-only, broken or half written: a typed error, and no half claim',
  48: 'no loss is told after a clean release, however slow the store was',
};

const LACKS: Readonly<Record<StagedScenario, string>> = {
  28: 'it keeps no processes’ ids',
  30: 'it has no server',
  33: 'it has no lease on a server',
  36: 'it has no server',
  37: 'it has no server',
  45: 'it keeps nothing that a hand could delete',
  46: 'it keeps nothing outside its process',
  48: 'its locks have no heartbeat',
};

/** Scenarios of one sort of store, which only its own tests can stage. */
export const staged: readonly Scenario[] = Object.entries(NAMES).map(([number, name]) => {
  const which = Number(number) as StagedScenario;
  return {
    name: `${number}. ${name}`,
    lacks: ({ staged: given = {} }) => {
      const stage = given[which] ?? LACKS[which];
      return typeof stage === 'string' ? stage : undefined;
    },
    timeoutMs: 60_000,
    run: async ({ options }) => {
      const stage = options.staged?.[which];
      if (typeof stage === 'function') await stage();
    },
  };
});
