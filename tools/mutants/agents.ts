import type { Mutant } from './mutant.js';

/** Defects of the agents of frameworks. */
export const agents: readonly Mutant[] = [
  {
    name: 'openaiAgentsAgent keeps two calls of one id, of which the package leaves out the first',
    shownBy: 'test/openai-agents/messages.test.ts',
    file: 'src/openai-agents/items.ts',
    edits: [["id === '' || ids.has(id)", "id === ''"]],
  },
  {
    name: 'openaiAgentsAgent takes a stream that broke off for one that ended',
    shownBy: 'test/openai-agents/conformance.test.ts',
    file: 'src/openai-agents/response.ts',
    edits: [['this.#hasChunks = true;', '']],
  },
  {
    name: 'openaiAgentsAgent makes calls that the model was cut in',
    shownBy: 'test/openai-agents/turn.test.ts',
    file: 'src/openai-agents/turn.ts',
    edits: [["return data.type === 'response_done' && this.#response.isCutIn(data);", 'return false;']],
  },
  {
    name: 'langGraphAgent takes objects of the form of LangChain from clients',
    shownBy: 'test/langgraph/messages.test.ts',
    file: 'src/langgraph/messages.ts',
    edits: [["if (Object.hasOwn(value, 'lc')) return true;", '']],
  },
  {
    name: 'langGraphAgent makes calls that the model was cut in',
    shownBy: 'test/langgraph/turn.test.ts',
    file: 'src/langgraph/turn.ts',
    edits: [['throw new CutInCalls();', 'return;']],
  },
  {
    name: 'fencedCheckpointer writes for a run that was stopped',
    shownBy: 'test/langgraph/threads.test.ts',
    file: 'src/langgraph/saver.ts',
    edits: [['run.commit(() => call(...args))', 'call(...args)']],
  },
];
