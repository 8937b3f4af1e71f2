import { fileURLToPath } from 'node:url';
import { createRunControl, type Run, type RunControl, type RunControlOptions } from 'runfence';
import { type ProcessHandle, type SpawnOptions, spawn } from 'runfence/process';
import { expect, onTestFinished } from 'vitest';
import { begin } from '../support/begin.js';

export const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** A control that is drained at the end of the test; nothing may have been told to its `onError`. */
export function controlled(options: RunControlOptions = {}): RunControl {
  const errors: unknown[] = [];
  const control = createRunControl({ onError: (error) => errors.push(error), ...options });
  onTestFinished(async () => {
    await control.drain({ graceMs: 0 });
    expect(errors).toEqual([]);
  });
  return control;
}

export interface Tree {
  readonly control: RunControl;
  readonly run: Run;
  readonly handle: ProcessHandle;
  /** The leaves, by what they said, and the process itself. */
  readonly pids: readonly number[];
  /** What it has written until now. */
  readonly text: () => string;
}

/** A tree of `leaves` processes that have said that they are there. The test ends its run. */
export async function grow(
  name: string,
  leaves: number,
  options: SpawnOptions = {},
  control: RunControl = controlled(),
): Promise<Tree> {
  const run = await begin(control, { whenBusy: 'concurrent' });
  const handle = await spawn(run, 'sh', [fixture(name)], options);
  const text = collect(handle.stdout);
  const pids = (): number[] => [...text().matchAll(/^leaf (\d+)$/gm)].map(([, pid]) => Number(pid));
  await expect.poll(() => pids().length, { timeout: 30_000, interval: 5 }).toBe(leaves);
  return { control, run, handle, pids: [...new Set([handle.pid, ...pids()])], text };
}

/** Reads a stream until it ends or errors. */
export function collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): () => string {
  let text = '';
  const decoder = new TextDecoder();
  const read = async (): Promise<void> => {
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  read().catch(() => {});
  return () => text;
}

/** All of a stream. */
export async function textOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = '';
  for await (const part of stream.pipeThrough(new TextDecoderStream())) text += part;
  return text;
}

/** Waits until the system has done something. It gives no notice of it, so this looks again and again. */
export async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 30_000, interval: 5 }).toBe(true);
}

/** The run's work has unwound: what is left of it is what it started. */
export async function abort(control: RunControl, run: Run) {
  const receipt = await control.abort({ runId: run.id });
  run.complete();
  return (await receipt.whenQuiet({ timeoutMs: 30_000 })).runs[0];
}
