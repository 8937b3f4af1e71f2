import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import { createRunControl, type RunControl } from 'runfence';
import { createAgentRunner } from 'runfence/agent';
import { fileHistory } from 'runfence/agent/files';
import { openaiAgent } from 'runfence/openai';
import { startModelServer } from 'runfence/testing';
import { Chat } from './chat.js';
import { replyTo } from './script.js';
import { createTools } from './tools.js';
import { Workspace } from './workspace.js';

export interface AppOptions {
  /** Where the agent reads, writes and runs commands. */
  readonly workspace: string;
  /** Where the sessions are kept: not where the agent can write. */
  readonly state: string;
  readonly session: string;
  readonly show: (line: string) => void;
  /** How long a token of the scripted model takes, in ms. */
  readonly tokenMs?: number;
}

export interface App {
  readonly chat: Chat;
  readonly control: RunControl;
  close(): Promise<void>;
}

export async function createApp({ workspace, state, session, show, tokenMs = 20 }: AppOptions): Promise<App> {
  const { OPENAI_BASE_URL, OPENAI_API_KEY, MODEL } = process.env;
  const isScripted = OPENAI_BASE_URL === undefined && OPENAI_API_KEY === undefined;
  await mkdir(workspace, { recursive: true });
  const scripted = isScripted ? await startModelServer(replyTo, { tokenMs }) : undefined;
  const client =
    scripted === undefined
      ? new OpenAI({ apiKey: OPENAI_API_KEY ?? 'none' })
      : new OpenAI({ baseURL: scripted.baseURL, apiKey: 'any' });
  if (scripted !== undefined) show('A scripted model answers. Say run, read, write, review, story or remember.');
  const control = createRunControl({ defaults: { graceMs: 3_000 } });
  const runner = createAgentRunner(control, {
    agent: openaiAgent({
      client,
      model: MODEL ?? 'gpt-5-mini',
      tools: createTools(new Workspace(workspace)),
      system: 'You are a coding agent in a terminal. Be brief.',
    }),
    history: fileHistory({ dir: join(state, 'sessions') }),
  });
  const chat = new Chat({ control, runner, sessionKey: session, show });
  await chat.greet();
  const close = async (): Promise<void> => {
    await control.drain({ graceMs: 0 });
    await scripted?.close();
  };
  return { chat, control, close };
}
