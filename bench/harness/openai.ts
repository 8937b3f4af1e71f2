import OpenAI from 'openai';

export const WORD = 'token ';

/** A model that is a stream of events, one a read, as they come over a connection. No server takes time. */
export function fetchOf(count: number): () => Promise<Response> {
  const encoder = new TextEncoder();
  const event = (delta: object, finish_reason: string | null): Uint8Array => {
    const chunk = {
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 1_700_000_000,
      model: 'm',
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    };
    return encoder.encode(`data: ${JSON.stringify(chunk)}\n\n`);
  };
  const token = event({ role: 'assistant', content: WORD }, null);
  const end = event({}, 'stop');
  return async () => {
    let left = count;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        left -= 1;
        controller.enqueue(left >= 0 ? token : end);
        if (left < 0) controller.close();
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
}

export function clientOf(count: number): OpenAI {
  return new OpenAI({ apiKey: 'any', baseURL: 'http://localhost', fetch: fetchOf(count) });
}

/** The time of the processor, in ns: the budget is what a token costs a server, and not how long it waits for its turn. */
export function inCpuTime(batch: (operations: number) => Promise<void>): (operations: number) => Promise<number> {
  return async (operations) => {
    const before = process.cpuUsage();
    await batch(operations);
    const { user, system } = process.cpuUsage(before);
    return (user + system) * 1_000;
  };
}
