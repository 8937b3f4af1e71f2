/**
 * A model that plays a script, for trying the agent without a key. What it answers depends on a word of the last message:
 *
 *   run, read, write, review   asks for the tool, and tells what came back
 *   forever                    asks for a command that would rather not end
 *   remember                   tells what it was told so far, also before a restart
 *   story                      a long answer
 */
import type { ModelReply, ModelRequest } from 'runfence/testing';

const STORY =
  'A canal is a patient machine. Water will not climb, so the builders taught the boats to climb instead. ' +
  'Each lock is a small room with a gate at either end: close one, open a valve, and the floor rises. ' +
  'Nothing is pumped and nothing is lifted by force; the hill does the work and the keeper only decides when. ' +
  'On a busy day the queue reaches round the bend, and the oldest rule is the only one that matters: ' +
  'whoever holds the lock leaves it ready for the next boat. A keeper who wanders off with both gates shut ' +
  'stops the whole valley, and no amount of shouting from the barges will move the water. ' +
  'So the good keepers learned to let go early, to note the level in the book, and to tell the next crew what was left. ' +
  'Further down, the summit pound feeds everything. It is filled by streams that nobody looks at, and when it runs low ' +
  'the boats wait, however loud the whistle. The engineers wrote of gradients and cubic feet, but the crews wrote of ' +
  'evenings: lamps along the towpath, a kettle on the stove, the gate creaking shut behind them, and the slow certainty ' +
  'of rising by another eight feet before the night is over.';

const CALLS: Readonly<Record<string, { readonly call: string; readonly input?: unknown }>> = {
  forever: { call: 'exec', input: { command: "trap '' TERM; echo $$ > forever.pid; sleep 300 & wait; sleep 300" } },
  run: { call: 'exec', input: { command: 'echo "tests: 3 passed"; env | grep -c API_KEY' } },
  read: { call: 'read_file', input: { path: 'notes.txt' } },
  write: { call: 'write_file', input: { path: 'notes.txt', text: 'Locks go first.\n' } },
  review: { call: 'deep_review' },
};

export function replyTo({ messages }: ModelRequest): ModelReply {
  const last = messages.at(-1);
  if (last?.role === 'tool') return `What came back: ${textOf(last.content)}`;
  const said = messages.filter(({ role }) => role === 'user').map(({ content }) => textOf(content));
  const words = said.at(-1) ?? '';
  const call = Object.keys(CALLS).find((word) => words.includes(word));
  if (call !== undefined) return ['Let me see to that.\n', CALLS[call] ?? ''];
  if (words.includes('remember')) return `You said: ${said.join(' / ')}`;
  return words.includes('story') ? STORY : `I heard "${words}".`;
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  return (content as readonly { readonly text?: string }[]).map(({ text = '' }) => text).join('');
}
