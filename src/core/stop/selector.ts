import { invalid } from '../internal/errors.js';
import { readSessionKey, type SessionKey } from '../internal/session-key.js';
import { checkKey, checkTag } from '../internal/validate.js';
import { copyPrincipal, hasIds, type Principal } from '../principal.js';

/** What an abort is aimed at: every key that is given must match, and at least one is given. */
export interface Selector {
  /** The run of this id. */
  readonly runId?: string;
  /** The runs of this session: its key, or the parts of its key. */
  readonly sessionKey?: SessionKey;
  /** Runs of this kind. */
  readonly kind?: string;
  /** Runs whose owner has every id that is given here. */
  readonly owner?: Principal;
  /** Runs that carry this tag. */
  readonly tag?: string;
  /** Only while this is the run's generation: a late stop does not hit a later run. */
  readonly generation?: number;
}

/** A selector as it is kept and stored: its session key is one string. */
export interface StoredSelector extends Omit<Selector, 'sessionKey'> {
  /** The runs of this session. */
  readonly sessionKey?: string;
}

/** What a selector is matched against. */
export interface Selectable {
  readonly id: string;
  readonly sessionKey: string | undefined;
  readonly kind: string;
  readonly owner: Principal | undefined;
  readonly tags: readonly string[];
}

/** Checks and copies a selector. `'all'` is the empty one: every key that is given must match. */
export function copySelector(value: unknown): StoredSelector {
  if (value === 'all') return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('A selector must be an object with at least one key, or "all".');
  }
  const copy: Copy = {};
  for (const name of Object.keys(value)) {
    if (!isSelectorKey(name)) {
      throw invalid(`A selector has no key "${name.slice(0, 64)}": use ${Object.keys(COPY).join(', ')}.`);
    }
    const wanted = (value as Selector)[name];
    if (wanted !== undefined) COPY[name](copy, wanted);
  }
  if (Object.keys(copy).length === 0) {
    throw invalid('A selector without a defined key would stop everything: say "all" if you mean it.');
  }
  return Object.freeze(copy);
}

/** Whether a run matches, its generation left aside: a run of another generation is a stale target, not another run. */
export function matches(selector: StoredSelector, entry: Selectable): boolean {
  return (
    (selector.runId === undefined || selector.runId === entry.id) &&
    (selector.sessionKey === undefined || selector.sessionKey === entry.sessionKey) &&
    (selector.kind === undefined || selector.kind === entry.kind) &&
    (selector.tag === undefined || entry.tags.includes(selector.tag)) &&
    (selector.owner === undefined || hasIds(entry.owner, selector.owner))
  );
}

type Copy = { -readonly [K in keyof StoredSelector]: StoredSelector[K] };

const COPY: { readonly [K in keyof Required<Selector>]: (copy: Copy, wanted: unknown) => void } = {
  runId: (copy, wanted) => {
    checkKey('selector.runId', wanted);
    copy.runId = wanted;
  },
  sessionKey: (copy, wanted) => {
    copy.sessionKey = readSessionKey('selector.sessionKey', wanted);
  },
  kind: (copy, wanted) => {
    checkTag('selector.kind', wanted);
    copy.kind = wanted;
  },
  owner: (copy, wanted) => {
    copy.owner = copyPrincipal('selector.owner', wanted);
  },
  tag: (copy, wanted) => {
    checkTag('selector.tag', wanted);
    copy.tag = wanted;
  },
  generation: (copy, wanted) => {
    if (!Number.isSafeInteger(wanted) || (wanted as number) < 1) {
      throw invalid('selector.generation must be the generation of a run: a positive integer.');
    }
    copy.generation = wanted as number;
  },
};

function isSelectorKey(name: string): name is keyof Selector {
  return Object.hasOwn(COPY, name);
}
