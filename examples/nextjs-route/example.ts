/** Calls the routes as Next.js does, and says what a page gets. */
import { Hold, startModelServer } from 'runfence/testing';

export async function drive(print: (line: string) => void = console.log): Promise<void> {
  const hold = new Hold();
  await using model = await startModelServer(() => ['Once', hold]);
  process.env.OPENAI_BASE_URL = model.baseURL;
  process.env.OPENAI_API_KEY = 'any';
  const { POST: chat } = await import('./app/api/chat/route.js');
  const { GET: resume } = await import('./app/api/chat/[id]/stream/route.js');
  const { POST: stop } = await import('./app/api/chat/[id]/stop/route.js');
  const { control } = await import('./lib/handlers.js');

  const request = (method: string, path: string, user: string, body?: object, signal?: AbortSignal): Request =>
    new Request(`http://localhost${path}`, {
      method,
      headers: { authorization: `Bearer ${user}-token`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  const context = { params: Promise.resolve({ id: 'c1' }) };
  const messages = [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'a tale' }] }];
  const last = async (response: Response): Promise<string | undefined> =>
    (await response.text()).trim().split('\n\n').at(-2);

  const tab = new AbortController();
  const first = await chat(request('POST', '/api/chat', 'ada', { id: 'c1', messages }, tab.signal));
  await hold.reached;
  tab.abort();
  await first.body?.cancel();
  print(`the page is reloaded; runs   ${control.runs.list().length}`);
  const again = await resume(request('GET', '/api/chat/c1/stream', 'ada'), context);
  print(`it resumes                   ${again.status}`);
  print(`a stranger's resume          ${(await resume(request('GET', '/api/chat/c1/stream', 'eve'), context)).status}`);
  print(`the stop                     ${(await stop(request('POST', '/api/chat/c1/stop', 'ada'), context)).status}`);
  print(`the answer ends with         ${await last(again)}`);
  await control.drain({ graceMs: 0 });
}

if (process.argv[1] === import.meta.filename) await drive();
