import { createRunControl } from 'runfence';

interface Request {
  readonly body: { readonly chat: string; readonly text: string };
  readonly user: { readonly id: string };
}
class Response {
  text = '';
  answer: unknown;
  isOver = false;
  write(part: string): void {
    this.text += part;
  }
  end(part: string): void {
    this.text += part;
    this.isOver = true;
  }
  json(answer: unknown): void {
    this.answer = answer;
    this.isOver = true;
  }
}
const routes = new Map<string, (req: Request, res: Response) => Promise<void>>();
const app = {
  post: (path: string, handler: (req: Request, res: Response) => Promise<void>) => void routes.set(path, handler),
};
const model = {
  async *stream(text: string, { signal }: { readonly signal: AbortSignal }): AsyncGenerator<string> {
    for (let word = 1; word <= 50; word++) {
      signal.throwIfAborted();
      yield `${text} ${word}\n`;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  },
};
// ---
const call = async (path: string, userId: string, text = ''): Promise<Response> => {
  const res = new Response();
  await routes.get(path)?.({ body: { chat: 'c1', text }, user: { id: userId } }, res);
  return res;
};
const pause = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 10));

const whole = await call('/chat', 'ada', 'whole');
console.assert(whole.text.endsWith('whole 50\n'));

const stopped = call('/chat', 'ada', 'stopped');
await pause();
const strangers = await call('/stop', 'eve');
console.assert((strangers.answer as { result: string }).result === 'forbidden');
const receipt = await call('/stop', 'ada');
console.assert((receipt.answer as { result: string }).result === 'aborted');
console.assert((receipt.answer as { quiet: boolean }).quiet);
console.assert((await stopped).text.endsWith('\n[stopped]'));

const old = call('/chat', 'ada', 'old');
await pause();
const newer = call('/chat', 'ada', 'newer');
console.assert((await old).text.endsWith('\n[stopped]') && (await newer).text.endsWith('newer 50\n'));
