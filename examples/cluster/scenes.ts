import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../quickstart/demo/gate.js';
import { ms } from '../quickstart/demo/timeline.js';
import type { Entry } from '../quickstart/transcript.js';
import type { Cluster } from './cluster.js';
import { LEASE_MS } from './store.js';

/** How long a scene looks on after it is over: whatever comes late must have had its chance. */
const WATCH_MS = 300;
/** Within a lease and what a busy machine takes. */
const TAKEN_OVER_MS = LEASE_MS + 8_000;

export type Scene = (cluster: Cluster) => Promise<void>;

export const scenes: readonly Scene[] = [stopOnTheOtherNode, takeoverByTheOtherNode, killedInMidAnswer, drain];

async function stopOnTheOtherNode(cluster: Cluster): Promise<void> {
  const { line, alice, bob } = cluster;
  line.scene('1  A message to one node, a stop to the other');
  const prompt = 'Tell me about canals.';
  line.event('alice', `POST /chat  "${prompt}"`);
  const answer = alice.chat('canals', prompt);
  await answer.until((it) => it.words >= 10);
  const runsOn = cluster.lastNode;
  const foreign = await bob.stop('canals');
  line.event('bob', `POST /stop  for a chat of alice's: ${foreign.result}`);
  await alice.stop('nothing'); // so that the next request is for the other node
  await answer.until((it) => it.words >= 25);

  const stoppedAt = performance.now();
  const receipt = await alice.stop('canals');
  const stoppedBy = cluster.lastNode;
  line.event('alice', `has the receipt: ${receipt.result}, quiet: ${receipt.quiet}`);
  await answer.done;
  const [call] = cluster.callsFor(prompt);
  await eventually(() => call?.hungUpAt !== undefined);
  await sleep(WATCH_MS);
  const [run] = receipt.runs;
  line.check(foreign.result === 'nothing-running', "a stranger's stop stops nothing", foreign.result);
  line.check(
    runsOn !== stoppedBy,
    'the stop went to the node that does not run it',
    `runs on ${runsOn}, stop to ${stoppedBy}`,
  );
  line.check(
    answer.ending === 'stopped: user',
    'the client is told why',
    `[${answer.ending}] after ${answer.words} words`,
  );
  line.check(answer.late === '', 'nothing follows', `${answer.late.length} characters`);
  line.check(
    call?.hungUpAt !== undefined,
    'the provider stops generating',
    `hang-up after ${ms((call?.hungUpAt ?? Number.NaN) - stoppedAt)}`,
  );
  const reply = replyOf(await cluster.stored('canals'));
  line.check(
    reply?.text === answer.text && reply.state === 'user',
    'the store has exactly the text that was shown',
    `${reply?.text.length} characters, ${reply?.state}`,
  );
  const isReported = receipt.quiet && run?.state === 'quiet' && run.epilogue === 'done';
  line.check(
    isReported,
    "the receipt is the other node's own report",
    `${run?.state}, epilogue ${run?.epilogue}, ${ms(run?.elapsedMs)}`,
  );
}

async function takeoverByTheOtherNode(cluster: Cluster): Promise<void> {
  const { line, alice } = cluster;
  line.scene('2  A second message at the other node takes over');
  const [first, second] = ['Tell me about canals again.', 'No, just say hello.'];
  line.event('alice', `POST /chat  "${first}"`);
  const old = alice.chat('takeover', first);
  await old.until((it) => it.words >= 15);
  const runsOn = cluster.lastNode;
  line.event('alice', `POST /chat  "${second}"`);
  const next = alice.chat('takeover', second);
  await Promise.all([old.done, next.done]);
  await sleep(WATCH_MS);
  const entries = await cluster.stored('takeover');
  line.check(
    runsOn !== cluster.lastNode,
    'the second message went to the other node',
    `${runsOn}, then ${cluster.lastNode}`,
  );
  line.check(
    old.ending === 'stopped: superseded',
    'the first answer ends, and its client is told why',
    `[${old.ending}] after ${old.words} words`,
  );
  line.check(
    next.ending === 'completed',
    'the second message is answered in full',
    `${next.words} words, the first after ${ms((next.firstTextAt ?? Number.NaN) - next.sentAt)}`,
  );
  const states = entries.map(({ role, state }) => `${role} ${state}`).join(', ');
  const isInOrder = states === 'user complete, assistant superseded, user complete, assistant complete';
  line.check(isInOrder, 'what was cut is saved before what came after it', states);
  line.check(
    entries[1]?.text === old.text,
    'with exactly the text that was shown',
    `${entries[1]?.text.length} characters`,
  );
}

async function killedInMidAnswer(cluster: Cluster): Promise<void> {
  const { line, alice } = cluster;
  line.scene('3  A node is killed in the middle of an answer');
  const [first, second] = ['Tell me about canals once more.', 'Are you still there? Say hello.'];
  line.event('alice', `POST /chat  "${first}"`);
  const old = alice.chat('killed', first);
  await old.until((it) => it.words >= 15);
  const dead = cluster.lastNode;
  const killedAt = performance.now();
  await cluster.kill(dead);
  line.event(`node ${dead}`, 'is killed (SIGKILL)');
  await old.done.catch(() => undefined);
  const { ending } = old;
  line.event('alice', `her connection broke after ${old.words} words`);
  line.event('alice', `POST /chat  "${second}"`);
  const next = alice.chat('killed', second);
  await next.done;
  const tookMs = performance.now() - killedAt;
  await eventually(() => cluster.orphaned.length > 0);
  const entries = await cluster.stored('killed');
  line.check(
    ending === undefined,
    'a broken answer does not look like a whole one',
    `${old.words} words, no last line`,
  );
  line.check(next.ending === 'completed', 'the other node goes on with the conversation', `${next.words} words`);
  line.check(
    tookMs < TAKEN_OVER_MS,
    'after the lease of the dead one at the latest',
    `${ms(tookMs)}, the lease is ${LEASE_MS} ms`,
  );
  const said = entries.filter(({ role }) => role === 'user').map(({ text }) => text);
  line.check(said.join() === [first, second].join(), 'what was said is there, all of it', `${said.length} messages`);
  line.check(
    cluster.orphaned.length === 1,
    'the run that was lost is told, once',
    `${cluster.orphaned.length} orphaned`,
  );
}

async function drain(cluster: Cluster): Promise<void> {
  const { line, alice } = cluster;
  line.scene('4  The other node is asked to end, in the middle of an answer');
  const prompt = 'Tell me about canals, and then good night.';
  line.event('alice', `POST /chat  "${prompt}"`);
  const answer = alice.chat('last', prompt);
  await answer.until((it) => it.words >= 15);
  const node = cluster.lastNode;
  line.event(`node ${node}`, 'gets SIGTERM');
  const code = await cluster.drain(node);
  await answer.done;
  const reply = replyOf(await cluster.stored('last'));
  line.check(
    answer.ending === 'stopped: shutdown',
    'the client is told why',
    `[${answer.ending}] after ${answer.words} words`,
  );
  line.check(
    reply?.text === answer.text,
    'the store has exactly the text that was shown',
    `${reply?.text.length} characters, ${reply?.state}`,
  );
  line.check(code === 0, 'the node ends', `exit code ${code}`);
}

function replyOf(entries: readonly Entry[]): Entry | undefined {
  return entries.findLast(({ role }) => role === 'assistant');
}
