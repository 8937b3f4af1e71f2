import { createRunControl, type RunControlOptions } from 'runfence';
import { expectQuiet, FakeClock, FaultyBackend } from 'runfence/testing';
import { expect } from 'vitest';

type Body = () => unknown;
const bodies: Body[] = [];
const afters: Body[] = [];
const test = (_name: string, body: Body): void => void bodies.push(body);
const afterEach = (body: Body): void => void afters.push(body);

const model = {
  async *stream(text: string, signal: AbortSignal): AsyncGenerator<string> {
    yield `${text} `;
    if (text !== 'stuck') return;
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  },
};

function createChat(options: RunControlOptions = {}) {
  const control = createRunControl(options);
  const answer = (chat: string, text: string, write: (part: string) => void) =>
    control.run({ sessionKey: chat, timeoutMs: 60_000 }, async (run) => {
      for await (const part of run.fence(model.stream(text, run.signal))) write(part);
    });
  return { control, answer };
}

function startStuck({ answer }: ReturnType<typeof createChat>, shown: string[] = []) {
  let begun!: () => void;
  const isAnswering = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const outcome = answer('c1', 'stuck', (part) => {
    shown.push(part);
    begun();
  });
  return { outcome, isAnswering };
}
// ---
if (bodies.length === 0) throw new Error('the block has no test');
for (const body of bodies) {
  await body();
  for (const after of afters) await after();
}
