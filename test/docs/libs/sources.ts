// Sources of every shape through a fence, as a server's code has them. Compiled with each tsconfig beside this file.
import { Readable } from 'node:stream';
import type OpenAI from 'openai';
import type { Run } from 'runfence';

/** As the AI SDK declares its `textStream`. */
type AsyncIterableStream<T> = AsyncIterable<T> & ReadableStream<T>;

/** As LangChain declares the streams of its models. */
declare class IterableReadableStream<T> extends ReadableStream<T> {
  next(): Promise<IteratorResult<T>>;
  [Symbol.asyncIterator](): AsyncGenerator<T>;
}

interface Sources {
  readonly ai: { readonly textStream: AsyncIterableStream<string>; readonly fullStream: AsyncIterableStream<Part> };
  readonly langchain: IterableReadableStream<{ readonly content: string }>;
  readonly openai: OpenAI;
  generate(): AsyncGenerator<number>;
}

type Part = { readonly type: 'text'; readonly text: string } | { readonly type: 'abort'; readonly reason: string };

export async function fenced(run: Run, { ai, langchain, openai, generate }: Sources): Promise<Response> {
  // Both shapes stay both.
  const text = run.fence(ai.textStream);
  for await (const part of text) part.toUpperCase();
  for await (const part of run.fence(ai.fullStream)) if (part.type === 'text') part.text.toUpperCase();
  for await (const chunk of run.fence(langchain)) chunk.content.toUpperCase();
  const read: string | undefined = (await run.fence(ai.textStream).getReader().read()).value;
  read?.toUpperCase();

  // A platform's stream stays one.
  const answer = await fetch('http://127.0.0.1', { signal: run.signal });
  if (answer.body === null) throw new Error('no body');
  const bytes: Uint8Array | undefined = (await run.fence(answer.body).getReader().read()).value;
  bytes?.byteLength.toFixed();
  const web = run.fence(Readable.toWeb(Readable.from(['a'])));
  for await (const chunk of web) String(chunk);
  web.getReader().releaseLock();

  // An iterable stays one, and gives its items by `next()`.
  const items = run.fence(generate());
  const first: number = (await items.next()).value;
  first.toFixed();
  for await (const chunk of run.fence(Readable.from(['a']))) String(chunk);
  const completion = await openai.chat.completions.create(
    { model: 'm', messages: [], stream: true },
    { signal: run.signal },
  );
  for await (const chunk of run.fence(completion)) chunk.choices[0]?.delta.content?.toUpperCase();

  // A function keeps its parameters and its `this`.
  const sum = run.fence((a: number, b: string) => `${a}${b}`);
  const said: string | undefined = sum(1, 'b');
  said?.toUpperCase();
  // @ts-expect-error the second parameter is missing
  sum(1);
  const counter = {
    count: 0,
    add: run.fence(function (this: { count: number }, by: number) {
      this.count += by;
    }),
  };
  counter.add(2);

  const browser = {
    name: 'b',
    open: run.gate(async function (this: { name: string }, url: string) {
      return `${this.name} ${url}`;
    }),
  };
  (await browser.open('url')).toUpperCase();

  // A gated generator gives its items.
  const search = run.gateStream(async function* (query: string, most: number) {
    for (let hit = 0; hit < most; hit++) yield `${query} ${hit}`;
  });
  for await (const hit of search('otters', 2)) hit.toUpperCase();
  const hit: string = (await search('otters', 2).next()).value;
  hit.toUpperCase();
  // @ts-expect-error the second parameter is missing
  search('otters');
  for await (const part of run.gateStream(() => ai.textStream)()) part.toUpperCase();
  const model = run.gateStream(
    (prompt: string) =>
      openai.chat.completions.create({ model: prompt, messages: [], stream: true }, { signal: run.signal }),
    { name: 'model' },
  );
  for await (const chunk of model('m')) chunk.choices[0]?.delta.content?.toUpperCase();
  // @ts-expect-error it gives no items
  run.gateStream(() => 'text');

  // @ts-expect-error a promise is to be awaited first
  run.fence(fetch('http://127.0.0.1'));
  // @ts-expect-error an array is no async iterable
  run.fence(['a']);

  return new Response(text.pipeThrough(new TextEncoderStream()));
}
