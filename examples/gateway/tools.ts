import { setTimeout as pause } from 'node:timers/promises';
import type { OpenAITool, ToolContext } from 'runfence/openai';
import { tool } from 'runfence/openai';
import { spawn } from 'runfence/process';
import { z } from 'zod';
import type { Workspaces } from './workspace.js';

const MOST_CHARACTERS = 16_000;
/** What a command sees of the server's environment: no key and no token. */
const SHOWN = ['PATH', 'LANG', 'LC_ALL', 'TZ'];

/** What the agent can do. */
export function createTools(workspaces: Workspaces): OpenAITool[] {
  return [
    tool({
      name: 'exec',
      description: 'Runs a shell command in the workspace of the user.',
      parameters: z.object({ command: z.string() }),
      // A person is asked before something is removed.
      needsApproval: ({ command }) => /\brm\b/.test(command),
      execute: async ({ command }, context) => exec(workspaces, command, context),
    }),
    tool({
      name: 'read_file',
      description: 'Reads a text file of the workspace.',
      parameters: z.object({ path: z.string() }),
      effect: 'read',
      execute: ({ path }, { run }) => workspaces.read(userOf(run), path),
    }),
    tool({
      name: 'sleep',
      description: 'Waits, and ends at once when it is stopped.',
      parameters: z.object({ seconds: z.number().min(0).max(600) }),
      effect: 'read',
      execute: async ({ seconds }, { signal }) => {
        await pause(seconds * 1_000, undefined, { signal });
        return `Slept for ${seconds} s.`;
      },
    }),
    tool({
      name: 'stubborn',
      description: 'Waits, and never looks at its signal.',
      parameters: z.object({ seconds: z.number().min(0).max(60) }),
      effect: 'idempotent',
      execute: async ({ seconds }) => {
        await pause(seconds * 1_000);
        return `Waited for ${seconds} s, whatever was said.`;
      },
    }),
  ];
}

async function exec(workspaces: Workspaces, command: string, { run, callId, emit }: ToolContext): Promise<string> {
  const cwd = await workspaces.of(userOf(run));
  const shown = SHOWN.map((name) => [name, process.env[name]]);
  const child = await spawn(run, '/bin/sh', ['-c', command], {
    cwd,
    env: { ...Object.fromEntries(shown), HOME: cwd },
    graceMs: 500,
    timeoutMs: 120_000,
  });
  emit('process', { callId, pid: child.pid, command });
  // Also after a stop, when no client hears it any more: the timeline does.
  const exited = child.exited.then((end) => {
    emit('exit', { callId, pid: child.pid, exitCode: end.exitCode, signal: end.signal });
    return end;
  });
  let text = '';
  const read = async (stream: typeof child.stdout): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      const piece = decoder.decode(bytes, { stream: true });
      if (text.length < MOST_CHARACTERS) {
        text += piece;
        emit('output', { callId, text: piece });
      }
    }
  };
  await Promise.all([read(child.stdout), read(child.stderr)]);
  const { exitCode, signal } = await exited;
  return `${text.slice(0, MOST_CHARACTERS)}\n[exit ${exitCode ?? signal}]`;
}

/** Every run of this server has an owner with a user. */
function userOf(run: { readonly owner: { readonly userId?: string } | undefined }): string {
  const userId = run.owner?.userId;
  if (userId === undefined) throw new Error('The run has no user.');
  return userId;
}
