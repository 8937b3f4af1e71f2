import OpenAI from 'openai';
import { type ModelMessage, type ModelReply, startModelServer } from 'runfence/testing';

export interface Model {
  readonly client: OpenAI;
  readonly name: string;
  close(): Promise<void>;
}

/** The model that the environment names, or a scripted one that needs no key. */
export async function openModel(env: NodeJS.ProcessEnv, tokenMs = 40): Promise<Model> {
  const { OPENAI_BASE_URL: baseURL, OPENAI_API_KEY: apiKey, MODEL: name } = env;
  if (baseURL === undefined && apiKey === undefined) {
    const server = await startModelServer(({ messages }) => reply(messages), { tokenMs });
    const client = new OpenAI({ baseURL: server.baseURL, apiKey: 'none', maxRetries: 0 });
    return { client, name: 'scripted', close: () => server.close() };
  }
  if (name === undefined)
    throw new Error('OPENAI_BASE_URL or OPENAI_API_KEY is set, so MODEL must name a model of that API.');
  // Local servers need no key, and the client insists on one.
  return { client: new OpenAI({ baseURL, apiKey: apiKey ?? 'none' }), name, close: async () => {} };
}

/** A process that ignores SIGTERM, one in a session of its own, and one that does as it is told. Each says its name and pid. */
const TREE = `(trap '' TERM; while :; do sleep 1; done) & echo "(deaf $!)"
setsid sleep 600 & echo "(fled $!)"
sleep 600 & echo "(tame $!)"
wait`;

/** What the scripted model says: it calls what the message asks for, and otherwise it tells a story. */
function reply(messages: readonly ModelMessage[]): ModelReply {
  const last = messages.at(-1);
  if (last?.role === 'tool') return `The tool says: ${textOf(last)}`;
  const text = messages.flatMap((message) => (message.role === 'user' ? [textOf(message)] : [])).at(-1) ?? '';
  const [, command] = /^(?:run|exec|!)\s+(.+)$/is.exec(text) ?? [];
  if (command !== undefined) return ['I run it. ', { call: 'exec', input: { command } }];
  if (/\b(tree|processes)\b/i.test(text))
    return ['I start a few processes. ', { call: 'exec', input: { command: TREE } }];
  const [, path] = /^read\s+(\S+)$/i.exec(text) ?? [];
  if (path !== undefined) return [{ call: 'read_file', input: { path } }];
  const [, name, seconds] = /^(sleep|stubborn)(?:\s+(\d+))?/i.exec(text) ?? [];
  if (name !== undefined) {
    return [`I use ${name.toLowerCase()}. `, { call: name.toLowerCase(), input: { seconds: Number(seconds ?? 20) } }];
  }
  if (/^(hello|hi)\b/i.test(text))
    return 'Hello! Say "tell me about canals", "run ls", "tree", "sleep 10" or "stubborn 10".';
  return STORY;
}

function textOf({ content }: ModelMessage): string {
  if (typeof content === 'string') return content;
  const parts = (Array.isArray(content) ? content : []) as readonly { readonly text?: unknown }[];
  return parts.map(({ text }) => (typeof text === 'string' ? text : '')).join('');
}

const STORY =
  `Canals are older than most roads. Somebody looked at a hill, at a river on the wrong side of it, and began to dig.
The first ones carried water to fields; the later ones carried coal, and then porcelain, which breaks on roads. A horse that pulls two
tons on a road pulls fifty on a canal, as long as nobody is in a hurry. Locks came next: a box with two doors, and the patience to wait
between them. Boats that met in a tunnel had no rule for who goes back, and so there are songs about it. Then came the railways, which
bought the canals in order to close them, and weeds, and herons. Today the canals carry people who have nowhere to be, at four miles an
hour, past the backs of cities. They work the locks themselves, and wait between the doors, and find that it was the waiting they came for.`.replaceAll(
    '\n',
    ' ',
  );
