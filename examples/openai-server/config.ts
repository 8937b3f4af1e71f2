import type { Authenticated } from 'runfence/http';

export interface Config {
  readonly host: string;
  readonly port: number;
  /** By bearer token; `undefined` if nobody needs one, on loopback. */
  readonly tokens: ReadonlyMap<string, Authenticated> | undefined;
  readonly model: string;
  /** The API of the model; `undefined` for the scripted one. */
  readonly api: { readonly baseURL: string | undefined; readonly apiKey: string } | undefined;
}

const LOOPBACK: readonly string[] = ['127.0.0.1', '::1', 'localhost'];

/** @throws an `Error` that says what to set */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const { HOST: host = '127.0.0.1', PORT = '8787', GATEWAY_TOKENS, OPENAI_BASE_URL, OPENAI_API_KEY, MODEL } = env;
  const port = Number(PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`PORT is no port: ${PORT}`);
  const tokens = GATEWAY_TOKENS === undefined ? undefined : readTokens(GATEWAY_TOKENS);
  if (tokens === undefined && !LOOPBACK.includes(host)) {
    throw new Error(`HOST is ${host}, which others can reach: set GATEWAY_TOKENS, or everybody may use your model.`);
  }
  const isReal = OPENAI_BASE_URL !== undefined || OPENAI_API_KEY !== undefined;
  if (isReal && MODEL === undefined)
    throw new Error('OPENAI_BASE_URL or OPENAI_API_KEY is set: MODEL must name a model.');
  // Local servers need no key, and the client insists on one.
  const api = isReal ? { baseURL: OPENAI_BASE_URL, apiKey: OPENAI_API_KEY ?? 'none' } : undefined;
  return { host, port, tokens, model: MODEL ?? 'scripted', api };
}

function readTokens(text: string): ReadonlyMap<string, Authenticated> {
  const example = `GATEWAY_TOKENS must be JSON such as {"alice":{"userId":"alice"},"root":{"userId":"root","admin":true}}`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${example}.`); // without the text: it has secrets
  }
  const entries = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  if (entries.length === 0) throw new Error(`${example}: it names nobody.`);
  return new Map(
    entries.map(([token, who]: [string, { userId?: unknown; admin?: unknown } | null]) => {
      const { userId, admin = false } = who ?? {};
      if (token === '' || typeof userId !== 'string' || userId.trim() === '' || typeof admin !== 'boolean') {
        throw new Error(`${example}: each token needs a userId.`);
      }
      return [token, { principal: { userId }, admin }];
    }),
  );
}
