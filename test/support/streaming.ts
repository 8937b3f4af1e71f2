import type { Run, StreamOptions } from 'runfence';
import { Feed } from './sources.js';
import { tracked } from './tracked.js';

export type Source = AsyncIterable<string> | ReadableStream<string>;
export type Given = (run: Run) => Source | PromiseLike<Source>;

export async function streaming(work: Given, options: Partial<StreamOptions> = {}) {
  const { control, clock, errors } = tracked();
  const answer = await control.stream({ sessionKey: 's', ...options }, work);
  if (answer.status !== 'started') throw new Error(answer.status);
  const { stream, outcome, runId } = answer;
  return { control, clock, errors, outcome, runId, stream, reader: () => stream.getReader() };
}

/** A run that streams a feed. */
export async function feeding(options: Partial<StreamOptions> = {}) {
  const feed = new Feed<string>();
  return { feed, ...(await streaming(() => feed, options)) };
}
