import type { Backend } from 'runfence/backend';

/** Fields of requests that hold a number of the counter. `since` is one in a claim, and a time in a lock. */
const NUMBERS = new Set([
  'seen',
  'generation',
  'revoke',
  'repeats',
  'listSince',
  'judged',
  'listJudged',
  'number',
  'token',
  'reserved',
  'stop',
  'listed',
]);

/** The reference counts from 0, and this store from its clock on: far above that, it counts on by ones, too. */
export const FAR = 2 ** 52;

function up(value: unknown, names: ReadonlySet<string>, name = ''): unknown {
  if (typeof value === 'number') return names.has(name) && value > 0 ? value + FAR : value;
  if (Array.isArray(value)) return value.map((item) => up(item, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, up(item, names, key)]));
}

function down(value: unknown): unknown {
  if (typeof value === 'number') return value >= FAR ? value - FAR : value;
  if (Array.isArray(value)) return value.map(down);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, down(item)]));
}

/** Backends on one store, a process for each node, that count from 0. */
export function shifted(backendOf: (nodeId: string) => Backend, any: Backend): Backend {
  const claimed = new Set([...NUMBERS, 'since']);
  const ask =
    <Request extends object, Answer>(method: keyof Backend, names: ReadonlySet<string> = NUMBERS) =>
    async (request: Request): Promise<Answer> => {
      const { nodeId } = request as { readonly nodeId?: string };
      const backend = nodeId === undefined ? any : backendOf(nodeId);
      const call = backend[method] as (request: unknown) => Promise<unknown>;
      return down(await call.call(backend, up(request, names))) as Answer;
    };
  return {
    scope: 'cluster',
    synchronous: false,
    claim: ask('claim', claimed),
    stop: ask('stop'),
    stopEverywhere: ask('stopEverywhere'),
    end: ask('end'),
    announce: ask('announce'),
    lock: ask('lock'),
    unlock: ask('unlock'),
    check: ask('check'),
    readSession: ask('readSession'),
    readRun: ask('readRun'),
    readNode: async (nodeId) => down(await any.readNode(nodeId)) as Awaited<ReturnType<Backend['readNode']>>,
    readActive: async () => down(await any.readActive()) as Awaited<ReturnType<Backend['readActive']>>,
    readStops: async () => down(await any.readStops()) as Awaited<ReturnType<Backend['readStops']>>,
    forget: ask('forget'),
    subscribe: (nodeId, notices) => backendOf(nodeId).subscribe(nodeId, notices),
    close: () => {},
  };
}
