import type { Mutant } from './mutant.js';

/** The rules of the adapters for the AI SDK and for MCP, one at a time not kept. */
export const adapters: readonly Mutant[] = [
  {
    name: 'ai: a call of which half has come is kept',
    shownBy: 'test/ai/loop.test.ts',
    file: 'src/ai/step.ts',
    edits: [['if (!this.#isWhole) this.calls = [];', '']],
  },
  {
    name: 'ai: an id that the model repeats stays as it is',
    shownBy: 'test/ai/tools.test.ts',
    file: 'src/ai/turn.ts',
    edits: [['|| this.#callIds.has(sdkId) ?', "|| this.#callIds.has('') ?"]],
  },
  {
    name: 'ai: the turn ends with a message in its inbox',
    shownBy: 'test/ai/loop.test.ts',
    file: 'src/ai/turn.ts',
    edits: [['if (mustGoOn || !this.#inbox.closeIfEmpty()) {', 'if (mustGoOn) {']],
  },
  {
    name: 'ai: a failure before a tool starts is told to the model',
    shownBy: 'test/ai/tools.test.ts',
    file: 'src/ai/turn.ts',
    edits: [['if (!call.isDone) this.#failures.push(error);', 'void error;']],
  },
  {
    name: 'ai: an unsafe tool starts before that is recorded',
    shownBy: 'test/ai/tools.test.ts',
    file: 'src/ai/call.ts',
    edits: [
      [
        "if (effect === 'unsafe') await turn.beforeUnsafe();",
        "if (effect === 'unsafe') void turn.beforeUnsafe().catch(() => {});",
      ],
    ],
  },
  {
    name: 'ai: a result that comes after the stop is kept',
    shownBy: 'test/ai/loop.test.ts',
    file: 'src/ai/call.ts',
    edits: [
      ["if (run.status === 'running') this.#end(turn, 'ok', shown, last);", "this.#end(turn, 'ok', shown, last);"],
    ],
  },
  {
    name: 'mcp: what the SDK makes of a signal is passed on',
    shownBy: 'test/mcp/call-tool.test.ts',
    file: 'src/mcp/call-tool.ts',
    edits: [['signal.throwIfAborted();', '']],
  },
  {
    name: 'mcp: the calls of one session cut each other',
    shownBy: 'test/mcp/tool-run.test.ts',
    file: 'src/mcp/tool-run.ts',
    edits: [["whenBusy: 'concurrent',", "whenBusy: 'interrupt',"]],
  },
  {
    name: 'mcp: the application owns the runs of its users',
    shownBy: 'test/mcp/tool-run.test.ts',
    file: 'src/mcp/tool-run.ts',
    edits: [['return { connId: createHash', 'return { userId: authInfo.clientId, connId: createHash']],
  },
];
