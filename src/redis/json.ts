import type {
  ListedStop,
  LockHolder,
  RecordedStop,
  Reservation,
  ReservedEpilogue,
  Snapshot,
  StopList,
  StoredReport,
  StoredRun,
} from '../backend/index.js';
import { ADMIN } from '../index.js';

// How the scripts tell things: arrays, in the order of these types.
type RunInfo = Pick<StoredRun, 'kind' | 'owner' | 'tags' | 'fingerprint' | 'graceMs'>;
type Said = Pick<RecordedStop, 'selector' | 'requester' | 'reason' | 'detail'>;
export type RunJson = readonly [
  runId: string,
  generation: number,
  nodeId: string,
  info: RunInfo,
  status: StoredRun['status'],
  reason: StoredRun['reason'] | null,
  detail: string | null,
  supersededBy: string | null,
  hasEpilogue: boolean,
  listSince: number,
  report: StoredReport | null,
  sessionKey: string,
];
export type HolderJson = readonly [
  runId: string | null,
  nodeId: string,
  token: number,
  since: number,
  isEpilogue: boolean,
];
export type StopJson = readonly [
  number: number,
  nodeId: string,
  attempt: number,
  intent: boolean | null,
  said: Said,
  marked: readonly string[],
];
export type SnapshotJson = readonly [
  version: number,
  runs: readonly RunJson[],
  holder: HolderJson | null,
  reserved: readonly (readonly [runId: string, nodeId: string, token: number])[],
  stops: readonly StopJson[],
  sessionKey: string,
];
export type ListJson = readonly [version: number, stops: readonly StopJson[]];
export type EpilogueJson = readonly [runId: string, token: number];

export function runFrom(json: RunJson): StoredRun {
  const [runId, generation, nodeId, info, status, reason, detail, supersededBy, hasEpilogue, listSince, report, key] =
    json;
  return {
    sessionKey: key,
    runId,
    generation,
    nodeId,
    kind: info.kind,
    owner: info.owner,
    tags: info.tags,
    fingerprint: info.fingerprint,
    graceMs: info.graceMs,
    status,
    reason: reason ?? undefined,
    ...(detail !== null && { detail }),
    supersededBy: supersededBy ?? undefined,
    hasEpilogue,
    listSince,
    report: report ?? undefined,
  };
}

export function holderFrom(json: HolderJson | null): LockHolder | undefined {
  if (json === null) return undefined;
  const [runId, nodeId, token, since, isEpilogue] = json;
  return { runId: runId ?? undefined, nodeId, token, since, isEpilogue };
}

export function snapshotFrom([version, runs, holder, reserved, stops, sessionKey]: SnapshotJson): Snapshot {
  return {
    sessionKey,
    version,
    runs: runs.map(runFrom),
    holder: holderFrom(holder),
    reserved: reserved.map(([runId, nodeId, token]): Reservation => ({ runId, nodeId, token })),
    stops: stops.map(stopFrom),
  };
}

export function stopFrom([number, nodeId, attempt, intent, said, marked]: StopJson): RecordedStop {
  return { number, nodeId, attempt, ...saidFrom(said), intent: intent === true, marked };
}

export function listFrom([version, stops]: ListJson): StopList {
  return { version, stops: stops.map(listedFrom) };
}

function listedFrom([number, nodeId, attempt, intent, said]: StopJson): ListedStop {
  return { number, nodeId, attempt, ...saidFrom(said), ...(intent === true && { intent }) };
}

export function epiloguesFrom(json: readonly EpilogueJson[]): readonly ReservedEpilogue[] {
  return json.map(([runId, token]) => ({ runId, token }));
}

export function runInfo({ kind, owner, tags, fingerprint, graceMs }: RunInfo): string {
  return toJson({ kind, owner, tags, fingerprint, graceMs });
}

/** `ADMIN` is a symbol, which JSON does not hold. No principal has such a field. */
export function saidOf({ selector, requester, reason, detail }: Said): string {
  return toJson({ selector, requester: requester === ADMIN ? { admin: true } : requester, reason, detail });
}

function saidFrom({ selector, requester, reason, detail }: Said): Said {
  const isAdmin = (requester as { admin?: unknown } | undefined)?.admin === true;
  return { selector, requester: isAdmin ? ADMIN : requester, reason, ...(detail !== undefined && { detail }) };
}

/** Always in the same order: sent again, a report is the same text. */
export function reportOf(report: StoredReport | undefined): string | undefined {
  if (report === undefined) return undefined;
  const fields = Object.entries(report).filter(([, value]) => value !== undefined);
  return toJson(Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1))));
}

const LONE = /((?:^|[^\\])(?:\\\\)*)\\u(d[89a-f][0-9a-f]{2})/g;
/** Private characters of the last plane stand for them on their way. */
const STANDS_FOR_LONE = 0x10f800;
const HAS_STANDIN = /[\u{10f800}-\u{10ffff}]/gu;

/** A string of JavaScript may have half of a character, which the server's JSON refuses. */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value);
  if (!text.includes('\\ud')) return text;
  const replace = (_: string, before: string, unit: string): string =>
    before + String.fromCodePoint(STANDS_FOR_LONE + Number.parseInt(unit, 16) - 0xd800);
  // Two in a row share the character between them.
  return text.replace(LONE, replace).replace(LONE, replace);
}

export function fromJson<T>(text: string): T {
  const isPlain = text.search(HAS_STANDIN) < 0;
  if (isPlain) return JSON.parse(text) as T;
  const unit = (char: string): string => `\\u${((char.codePointAt(0) ?? 0) - STANDS_FOR_LONE + 0xd800).toString(16)}`;
  return JSON.parse(text.replace(HAS_STANDIN, unit)) as T;
}
