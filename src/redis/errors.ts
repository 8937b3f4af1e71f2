import { RunfenceError } from '../index.js';

interface Known {
  readonly prefix: string;
  readonly what: string;
}

const LONGEST_TEXT = 200;

/** What the server says when it is there and cannot do it, and what helps. */
const KNOWN: readonly Known[] = [
  { prefix: 'OOM', what: 'Redis is out of memory: raise maxmemory, or free some. Nothing was started.' },
  { prefix: 'READONLY', what: 'This Redis is a replica: connect to the primary, for example through Sentinel.' },
  {
    prefix: 'NOREPLICAS',
    what: 'Redis has too few replicas to take writes (min-replicas-to-write): nothing was started.',
  },
  { prefix: 'LOADING', what: 'Redis is loading its data: try again when it is ready.' },
  { prefix: 'MASTERDOWN', what: 'This Redis is a replica without its primary: connect to the primary.' },
  { prefix: 'MISCONF', what: 'Redis cannot save to its disk and takes no writes: look at its log.' },
  { prefix: 'NOPERM', what: 'The user of this connection may not do it: docs/redis.md lists what the ACL must allow.' },
  { prefix: 'NOAUTH', what: 'This connection is not authenticated: give the client a username and a password.' },
  { prefix: 'WRONGPASS', what: 'Redis refuses the password of this client.' },
  { prefix: 'BUSY', what: 'Redis is busy with a script: nothing was started.' },
  {
    prefix: 'CROSSSLOT',
    what: 'Keys of one call are in several slots: Redis Cluster is not supported, use one primary.',
  },
  { prefix: 'MOVED', what: 'This is a node of a Redis Cluster, which is not supported: use one primary.' },
];

/** An error of the client or of the server, as the core hands it on. */
export function asError(error: unknown): RunfenceError {
  if (error instanceof RunfenceError) return error;
  const text = textOf(error);
  if (text.includes('RFEXHAUSTED')) {
    return new RunfenceError('GENERATION_EXHAUSTED', 'No safe integer is left for a generation: use a new prefix.');
  }
  const format = /RFFORMAT (\S+)/.exec(text)?.[1];
  if (format !== undefined) {
    return outOfReach(`This prefix holds format ${format}, of another version of runfence: use another prefix.`);
  }
  if (text.includes('compiling script'))
    return outOfReach('This Redis does not know these scripts: 7.0 or newer is needed.');
  const known = KNOWN.find(({ prefix }) => text.startsWith(`${prefix} `));
  const refused = /^[A-Z]+ /.test(text) ? `Redis refused it: ${text.slice(0, LONGEST_TEXT)}` : undefined;
  const what = known?.what ?? refused ?? 'Redis did not answer: nothing was started. Try again when it is reachable.';
  return new RunfenceError('BACKEND_UNAVAILABLE', what, { cause: error });
}

export function outOfReach(what: string): RunfenceError {
  return new RunfenceError('BACKEND_UNAVAILABLE', what);
}

export function closed(): RunfenceError {
  return new RunfenceError('CLOSED', 'This backend was closed: make a new one.');
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
