import type { Mutant } from './mutant.js';

/** Defects of the rules of the gateway. */
export const gateway: readonly Mutant[] = [
  {
    name: 'the gateway says of a run of somebody else that it is there',
    shownBy: 'test/gateway/authority.test.ts',
    file: 'src/gateway/methods/runs.ts',
    edits: [['context.options.revealForbidden === true && context', 'context']],
  },
  {
    name: 'the gateway tells a run to who may not read it any more',
    shownBy: 'test/gateway/authority.test.ts',
    file: 'src/gateway/follow.ts',
    edits: [['if (!this.#may()) break;', '']],
  },
  {
    name: 'a stop on the gateway leaves the frames before it that wait',
    shownBy: 'test/gateway/overtaking.test.ts',
    file: 'src/gateway/overtaking.ts',
    edits: [['for (const one of before) ended.add(one);', '']],
  },
  {
    name: 'a stop on the gateway waits for a place among the requests',
    shownBy: 'test/gateway/overtaking.test.ts',
    file: 'src/gateway/connection.ts',
    edits: [['(isUrgent ? stops : requests)', 'requests']],
  },
  {
    name: 'the gateway registers the run of a send in a later tick',
    shownBy: 'test/gateway/overtaking.test.ts',
    file: 'src/gateway/methods/send.ts',
    edits: [['  let sent: SendResult;\n', '  let sent: SendResult;\n  await new Promise(setImmediate);\n']],
  },
  {
    name: 'the gateway tells the end of a run twice',
    shownBy: 'test/gateway/runs.test.ts',
    file: 'src/gateway/follow.ts',
    edits: [['await this.#end(value);\n          break;', 'await this.#end(value);\n          continue;']],
  },
  {
    name: 'the list of the gateway has runs as they were before the change that was told',
    shownBy: 'test/gateway/runs.test.ts',
    file: 'src/gateway/methods/sessions.ts',
    edits: [['here === undefined || here.generation < run.generation ? [run] : [here]', '[run]']],
  },
  {
    name: 'the gateway starts a message again that has the key of one before',
    shownBy: 'test/gateway/runs.test.ts',
    file: 'src/gateway/methods/send.ts',
    edits: [['messageId: idempotencyKey,', 'messageId: crypto.randomUUID(),']],
  },
  {
    name: 'the gateway goes on telling a client that does not read',
    shownBy: 'test/gateway/slow.test.ts',
    file: 'src/gateway/follow.ts',
    edits: [['if (outlet.isFull) await outlet.whenFree();', '']],
  },
];
