import { setTimeout as sleep } from 'node:timers/promises';
import { type OpenAITool, tool } from 'runfence/openai';
import { spawn } from 'runfence/process';
import { z } from 'zod';
import type { Workspace } from './workspace.js';

/** What a command of the model gets to see of our environment: no key, no token, nothing that is not named here. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR'];
/** So much of what a command prints is shown to the model. */
const MOST_OUTPUT = 8_000;

export function createTools(workspace: Workspace): readonly OpenAITool[] {
  return [
    tool({
      name: 'exec',
      description: 'Runs a shell command in the workspace.',
      parameters: z.object({ command: z.string() }),
      needsApproval: true,
      execute: async ({ command }, { run }) => {
        // With all that comes of it, it dies with its run.
        const child = await spawn(run, 'sh', ['-c', `${command} 2>&1`], {
          cwd: workspace.dir,
          env: Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]])),
          stderr: 'ignore',
          graceMs: 500,
          timeoutMs: 60_000,
        });
        let output = '';
        // What is not shown is read all the same, or the command would wait for its reader.
        for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
          if (output.length < MOST_OUTPUT) output += text;
        }
        return `${output.slice(0, MOST_OUTPUT)}[exit code ${(await child.exited).exitCode}]`;
      },
    }),
    tool({
      name: 'read_file',
      description: 'Reads a file of the workspace.',
      parameters: z.object({ path: z.string() }),
      effect: 'read',
      execute: ({ path }) => workspace.read(path),
    }),
    tool({
      name: 'write_file',
      description: 'Writes a file of the workspace.',
      parameters: z.object({ path: z.string(), text: z.string() }),
      effect: 'idempotent',
      needsApproval: true,
      execute: async ({ path, text }) => {
        await workspace.write(path, text);
        return `${path} is written.`;
      },
    }),
    tool({
      name: 'deep_review',
      description: 'Reviews the whole workspace. Slow.',
      effect: 'read',
      // A tool as one meets them: it takes its minute, and never looks at its signal.
      execute: async () => {
        for (let file = 1; file <= 600; file += 1) await sleep(100);
        return 'Nothing to complain about.';
      },
    }),
  ];
}
