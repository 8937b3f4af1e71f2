import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ProcessHandle, SpawnOptions } from 'runfence/process';

/** What a tool may do to the outside. Everything in here stops working for a run that was stopped. */
export interface ToolContext {
  readonly signal: AbortSignal;
  /** Shows progress to the user. */
  readonly say: (text: string) => void;
  /** Starts a process that is killed with the run, and all that comes of it. */
  readonly spawn: (command: string, args: readonly string[], options: SpawnOptions) => Promise<ProcessHandle>;
  /** Stores a result beside the chat. */
  readonly save: (id: string, text: string) => Promise<void>;
}

export interface Tool {
  readonly description: string;
  readonly parameters: Record<string, unknown>;
  readonly execute: (input: Record<string, unknown>, context: ToolContext) => Promise<string>;
}

export const tools: Readonly<Record<string, Tool>> = {
  current_time: {
    description: 'The current date and time.',
    parameters: { type: 'object', properties: {} },
    execute: async () => new Date().toISOString(),
  },

  /** Starts processes that start processes; some of them would rather not end. */
  run_checks: {
    description: 'Runs the checks of the project. Slow.',
    parameters: { type: 'object', properties: {} },
    async execute(_, context) {
      const program = fileURLToPath(new URL('demo/checks.mjs', import.meta.url));
      const checks = await context.spawn(process.execPath, [program], { graceMs: 1_000, timeoutMs: 60_000 });
      for await (const lines of checks.stdout.pipeThrough(new TextDecoderStream())) {
        for (const line of lines.trimEnd().split('\n')) context.say(`(${line}) `);
      }
      return `The checks ended with ${(await checks.exited).exitCode}.`;
    },
  },

  /** A tool as one meets them: it takes its time, never looks at `context.signal`, and swallows its errors. */
  write_report: {
    description: 'Writes a report on a topic and stores it. Slow.',
    parameters: { type: 'object', properties: { topic: { type: 'string' } }, required: ['topic'] },
    async execute(input, context) {
      const topic = String(input.topic);
      for (let page = 1; page <= 22; page++) {
        await sleep(100);
        context.say(`(${topic}, page ${page}) `);
      }
      try {
        await context.save(`report:${topic}`, `22 pages on ${topic}.`);
        return `The report on ${topic} has 22 pages.`;
      } catch {
        return `The report on ${topic} could not be stored.`;
      }
    },
  },
};
