import { createRunControl, type RunControlOptions } from 'runfence';

const afters: (() => unknown)[] = [];
const afterEach = (body: () => unknown): void => void afters.push(body);
const createChat = (options: RunControlOptions = {}) => ({ control: createRunControl(options) });
// ---
const good = newChat();
await good.control.run({ sessionKey: 'c1' }, () => 'done');
for (const after of afters) await after();
console.assert(chats.length === 0);
const leaky = newChat();
const left = leaky.control.run({ sessionKey: 'c1', runId: 'r1' }, (run) => {
  return new Promise<void>((resolve) => run.signal.addEventListener('abort', () => resolve()));
});
const failure = await Promise.resolve(afters[0]?.()).catch((error: unknown) => String(error));
console.assert(String(failure).includes('run "r1" of session "c1" is running; left: work'));
await leaky.control.abort('all');
await left;
