import { createRunControl, RunAbortedError } from 'runfence';

interface Request {
  readonly body: { readonly chat: string; readonly text: string };
  readonly user: { readonly id: string };
}
class Response {
  text = '';
  code = 200;
  answer: unknown;
  writableEnded = false;
  #closed: (() => void) | undefined;
  once(_event: 'close', listener: () => void): void {
    this.#closed = listener;
  }
  hangUp(): void {
    this.#closed?.();
  }
  status(code: number): this {
    this.code = code;
    return this;
  }
  write(part: string): void {
    this.text += part;
  }
  end(part: string): void {
    this.text += part;
    this.writableEnded = true;
    this.#closed?.();
  }
  json(answer: unknown): void {
    this.answer = answer;
  }
}
const control = createRunControl();
const routes = new Map<string, (req: Request, res: Response) => Promise<void>>();
const app = {
  post: (path: string, handler: (req: Request, res: Response) => Promise<void>) => void routes.set(path, handler),
};
let produced = 0;
const model = {
  async *stream(text: string, { signal }: { readonly signal: AbortSignal }): AsyncGenerator<string> {
    for (let word = 1; word <= 20; word++) {
      signal.throwIfAborted();
      produced = word;
      yield `${text} ${word}\n`;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  },
};
// ---
const call = (path: string, userId: string, text = ''): { res: Response; done: Promise<void> | undefined } => {
  const res = new Response();
  return { res, done: routes.get(path)?.({ body: { chat: 'c1', text }, user: { id: userId } }, res) };
};
const pause = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 10));

const whole = call('/chat', 'ada', 'whole');
await whole.done;
console.assert(whole.res.text.endsWith('whole 20\n'));

const stopped = call('/chat', 'ada', 'stopped');
await pause();
const stranger = call('/stop', 'eve');
await stranger.done;
console.assert((stranger.res.answer as { result: string }).result === 'nothing-running');
const own = call('/stop', 'ada');
await own.done;
console.assert((own.res.answer as { result: string; quiet: boolean }).quiet);
await stopped.done;
console.assert(stopped.res.text.endsWith('\n[stopped]'));

const left = call('/chat', 'ada', 'left');
await pause();
left.res.hangUp();
const before = produced;
await left.done;
await pause();
console.assert(produced === before && before < 20);

await control.drain({ graceMs: 0 });
const late = call('/chat', 'ada', 'late');
await late.done;
console.assert(late.res.code === 503 && late.res.text === 'draining');
