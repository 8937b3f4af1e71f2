import { createRunControl, type Run } from 'runfence';

const control = createRunControl();
const answers: string[] = [];
// ---
async function POST(req: Request, work: (run: Run) => Promise<string>): Promise<string> {
  const { id: runId } = (await req.json()) as { readonly id: string };
  const outcome = await control.run(
    { sessionKey: 'chat-1', runId, onDuplicate: 'retry-lost', signal: disconnectSignal(req) },
    work,
  );
  return outcome.status === 'aborted' ? outcome.reason : outcome.status;
}
const untilLeft = (run: Run): Promise<string> =>
  new Promise((_, reject) => {
    run.signal.addEventListener('abort', () => reject(run.signal.reason));
    client.abort();
  });
let client = new AbortController();
const request = (id: string): Request =>
  new Request('http://127.0.0.1/', { method: 'POST', body: JSON.stringify({ id }), signal: client.signal });

answers.push(await POST(request('left'), untilLeft));
client = new AbortController();
answers.push(await POST(request('left'), async () => 'the answer'), await POST(request('left'), async () => 'twice'));

client = new AbortController();
const early = request('early');
client.abort(); // while the handler waits for something else, before anything listens
const outcome = await control.run({ sessionKey: 'chat-1', signal: disconnectSignal(early) }, () => 'never called');
answers.push(outcome.status === 'aborted' ? outcome.reason : outcome.status);

const answer = await control.stream({ sessionKey: 'chat-1' }, async function* (run) {
  yield 'first';
  await new Promise((resolve) => run.signal.addEventListener('abort', resolve));
});
if (!('stream' in answer)) throw new Error(answer.status);
const body = new Response(answer.stream.pipeThrough(new TextEncoderStream())).body?.getReader();
await body?.read();
await body?.cancel();
const cancelled = await answer.outcome;
answers.push(cancelled.status === 'aborted' ? cancelled.reason : cancelled.status);
console.assert(answers.join() === 'disconnect,completed,duplicate,disconnect,disconnect', answers.join());
