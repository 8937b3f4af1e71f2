const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
interface Message {
  readonly chat: string;
  readonly id: string;
  readonly text: string;
}
interface Turn {
  readonly id: string;
  readonly user: string;
  readonly answer: string;
}
let login = async (request: Request): Promise<string> => request.headers.get('authorization') ?? '';
const turns = new Map<string, Turn & { readonly chat: string; readonly token: number }>();
const store = {
  async save(chat: string, turn: Turn, token: number): Promise<void> {
    await pause(5);
    turns.set(turn.id, { ...turn, chat, token });
  },
  async read(chat: string): Promise<Turn[]> {
    return [...turns.values()].filter((turn) => turn.chat === chat);
  },
};
let calls = 0;
let known: readonly Turn[] = [];
const model = {
  async *stream(history: readonly Turn[], text: string, { signal }: { readonly signal: AbortSignal }) {
    calls++;
    known = history;
    for (let word = 1; word <= 10; word++) {
      signal.throwIfAborted();
      yield `${text} ${word} `;
      await pause(5);
    }
  },
};
// ---
const ask = (id: string, text: string, signal?: AbortSignal): Promise<Response> => {
  const body = JSON.stringify({ chat: 'c1', id, text });
  return POST(new Request('http://chat', { method: 'POST', headers: { authorization: 'ada' }, body, signal: signal ?? null }));
};
console.assert((await (await ask('m1', 'whole')).text()).endsWith('whole 10 '));

const client = new AbortController();
const cut = (await ask('m2', 'left', client.signal)).text().catch((error: Error) => error.name);
await pause(12);
client.abort();
console.assert((await cut) === 'AbortError');
const retry = await ask('m2', 'left'); // the connection broke, and the message is sent again
console.assert(retry.status === 200 && (await retry.text()).endsWith('left 10 '));
console.assert((await ask('m2', 'left')).status === 409);
console.assert(known.map(({ user }) => user).join() === 'whole,left'); // what was said before the hang-up was saved

const early = new AbortController();
login = async () => {
  early.abort();
  return 'ada';
};
const called = calls;
console.assert((await ask('m3', 'early', early.signal)).status === 499 && calls === called);

await control.drain({ graceMs: 0 });
const late = await ask('m4', 'late');
console.assert(late.status === 503 && late.headers.get('retry-after') === '1');
