import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, Gate } from './gate.js';
import { Processes } from './processes.js';
import { AT_ONCE_MS, keyOf, type Measured, type Stage, since } from './stage.js';
import { ms } from './timeline.js';

/** How long a scene looks on after it is over: whatever comes late must have had its chance. */
const WATCH_MS = 300;

/** What the tool gives its processes between SIGTERM and SIGKILL. */
const GRACE_MS = 1_000;
/** A grace may seem shorter from outside, by what a turn of the event loop takes. */
const ASKED_MS = GRACE_MS - 100;

/** Closing takes a few ms; it would take longer than this if it waited for the grace of a run that has ended, 5 s. */
const DRAIN_MS = 4_000;

export type Scene = (stage: Stage) => Promise<Measured>;

export const scenes: readonly Scene[] = [stopInMidStream, takeover, midWrite, deafTool, processTree, shutdown];

async function stopInMidStream(stage: Stage): Promise<Measured> {
  const { line } = stage;
  line.scene('1  A stop in mid-stream');
  const message = 'Tell me about canals.';
  const answer = stage.chat('canals', message);
  await answer.until((it) => it.words >= 25);
  const before = answer.words;
  const foreign = await stage.bob.stop('canals');
  line.event('bob', `POST /stop  for a chat of alice's: ${foreign.result}`);
  await answer.until((it) => it.words >= before + 10);

  const stop = stage.stopsNow(message);
  line.event('alice', 'POST /stop');
  const receipt = await stage.alice.stop('canals');
  line.event('alice', `has the receipt: ${receipt.result}, quiet: ${receipt.quiet}`);
  await answer.done;
  await stage.untilHungUp(message);
  await sleep(WATCH_MS);

  const isUntouched = foreign.result === 'nothing-running' && answer.words >= before + 10;
  line.check(isUntouched, "a stranger's stop stops nothing", `${answer.words - before} more words`);
  stage.checkStopped(answer, 'canals', 'user', stop, stage.scriptEndedAt(message));
  stage.checkHungUp(stop);
  stage.checkQuiet(receipt, 'canals', 'user', stop);
  return stage.measured('1 stop', answer, stop);
}

async function takeover(stage: Stage): Promise<Measured> {
  const { line } = stage;
  line.scene('2  A second message takes over, and the provider is deaf to the hang-up');
  const [first, second] = ['Tell me about canals, deaf provider.', 'No, just say hello.'];
  const old = stage.chat('takeover', first);
  await old.until((it) => it.words >= 25);

  const stop = stage.stopsNow(first);
  const next = stage.chat('takeover', second);
  await Promise.all([old.done, next.done]);
  const [call] = stage.callsFor(first);
  await eventually(() => (call?.tokensAfterHangUp ?? 0) > 5);
  await sleep(WATCH_MS);

  stage.checkStopped(old, 'takeover', 'superseded', stop, stage.scriptEndedAt(first));
  const kept = stage.store.read(keyOf('takeover')).at(-1);
  const isWhole = next.ending === 'completed' && kept?.state === 'complete' && kept.text === next.text;
  const firstWord = ms(since(stop.at, next.firstTextAt));
  line.check(isWhole, 'the second message is answered in full', `${next.words} words, the first after ${firstWord}`);
  const inTurn = since(old.lastTextAt, next.firstTextAt) >= 0;
  line.check(inTurn, 'no text of the old answer after the first of the new', inTurn ? 'none' : 'they overlap');
  const epilogue = stage.firstSave('takeover', (entry) => entry.state === 'superseded');
  const successor = stage.firstSave('takeover', (entry) => entry.text === second);
  const handOverMs = since(epilogue?.endedAt, successor?.startedAt);
  const inOrder = handOverMs >= 0 && handOverMs < AT_ONCE_MS;
  const evidence = `${ms(handOverMs)}, token ${epilogue?.token} then ${successor?.token}`;
  line.check(inOrder, 'its lock comes right after the partial text was saved', evidence);
  const deaf = call?.tokensAfterHangUp ?? 0;
  const heard = old.late.split(/\s+/).filter(Boolean).length;
  const goneOn = `${deaf} tokens after the hang-up, ${heard} shown`;
  line.check(deaf > 5 && heard === 0, 'the provider did go on, unheard', goneOn);
  stage.checkQuiet(old.receipt, 'takeover', 'superseded', stop);
  return stage.measured('2 takeover', old, stop, { handOverMs });
}

async function midWrite(stage: Stage): Promise<Measured> {
  const { line } = stage;
  line.scene('3  A second message while the first one is being written to the store');
  const [first, second] = ['Tell me about locks.', 'Or rather, say hello.'];
  const write = new Gate();
  stage.store.holdNext(write);
  const old = stage.chat('double', first);
  await write.reached;

  const stop = stage.stopsNow(first);
  const next = stage.chat('double', second);
  await eventually(() => old.ending !== undefined);
  write.open();
  await Promise.all([old.done, next.done]);
  await sleep(WATCH_MS);

  const begun = stage.firstSave('double', (entry) => entry.text === first);
  const isMute = old.ending === 'stopped: superseded' && old.text === '' && old.late === '';
  const isFirst = since(old.endingAt, begun?.endedAt) > 0;
  const told = `${ms(since(stop.at, old.endingAt))}, and the write took ${ms(since(begun?.startedAt, begun?.endedAt))}`;
  line.check(isMute && isFirst, 'the first ends before that write, without a word', told);
  const calls = stage.callsFor(first).length;
  line.check(calls === 0, 'and never reaches the model', `${calls} requests`);
  const kept = stage.store.read(keyOf('double')).map((entry) => `${entry.role} ${entry.state}`);
  const all = ['user complete', 'assistant superseded', 'user complete', 'assistant complete'];
  line.check(kept.join() === all.join(), 'the write in flight is kept, and all is in order', `${kept.length} entries`);
  const epilogue = stage.firstSave('double', (entry) => entry.state === 'superseded');
  const successor = stage.firstSave('double', (entry) => entry.text === second);
  const handOverMs = since(epilogue?.endedAt, successor?.startedAt);
  const inOrder = since(begun?.endedAt, epilogue?.startedAt) >= 0 && handOverMs >= 0 && handOverMs < AT_ONCE_MS;
  const tokens = [begun, epilogue, successor].map((save) => save?.token).join(', ');
  line.check(inOrder, 'the lock comes after that write and the epilogue', `${ms(handOverMs)}, tokens ${tokens}`);
  stage.checkQuiet(old.receipt, 'double', 'superseded', stop);
  return stage.measured('3 mid-write', old, stop, { handOverMs });
}

async function deafTool(stage: Stage): Promise<Measured> {
  const { line } = stage;
  line.scene('4  A tool ignores its signal');
  const [message, next] = ['Please write a report.', 'Say hello instead.'];
  const answer = stage.chat('report', message);
  await answer.until((it) => it.text.includes('page 4'));

  const stop = stage.stopsNow(message);
  line.event('alice', 'POST /stop');
  const stopping = stage.alice.stop('report');
  await eventually(() => answer.ending !== undefined);
  const nextAt = performance.now();
  const following = stage.chat('report', next);
  const receipt = await stopping;
  const receiptAt = performance.now();
  const [run] = receipt.runs;
  const leftovers = run?.leftovers.join(', ') || 'none';
  line.event('alice', `has the receipt: ${receipt.result}, quiet: ${receipt.quiet}, left: ${leftovers}`);
  await eventually(() => following.endedAt !== undefined);
  stage.beforeToolSaves.open();
  await Promise.all([answer.done, following.done]);
  const [use] = stage.uses;
  await eventually(() => use?.endedAt !== undefined && stage.quietOf(receipt) !== undefined);
  await sleep(WATCH_MS);

  stage.checkStopped(answer, 'report', 'user', stop, use?.endedAt);
  const epilogue = stage.firstSave('report', (entry) => entry.state === 'user');
  const said = use?.said.filter((at) => since(epilogue?.startedAt, at) > 0) ?? [];
  const shown = answer.late.match(/\(\w+, page \d+\)/g)?.length ?? 0;
  const ranOn = `${said.length} lines of progress after the stop, ${shown} shown`;
  line.check(said.length > 5 && shown === 0, 'the tool really ran on', ranOn);
  const started = `${stage.uses.length} of 2 started`;
  line.check(stage.uses.length === 1, 'the second tool that the model wanted never starts', started);
  const asked = stage.callsFor(message).length;
  line.check(asked === 1, 'the model is not asked again', `${asked} request`);
  const report = stage.firstSave('report', (entry) => entry.role === 'report');
  const isRefused = report === undefined && use?.saveFailed !== undefined;
  line.check(isRefused, "the tool's late write does not reach the store", use?.saveFailed ?? 'it was accepted');
  const successor = stage.firstSave('report', (entry) => entry.text === next);
  const handOverMs = since(epilogue?.endedAt, successor?.startedAt);
  const waitedMs = since(nextAt, successor?.startedAt);
  const atOnce = handOverMs >= 0 && handOverMs < AT_ONCE_MS && since(successor?.startedAt, use?.endedAt) > 0;
  const waited = `${ms(handOverMs)} after the epilogue, ${ms(waitedMs)} after it was sent`;
  line.check(atOnce, 'the next message has the lock while the tool still runs', waited);
  line.check(following.ending === 'completed', 'and is answered in full', `${following.words} words`);
  const isNamed = receipt.result === 'aborted' && !receipt.quiet && run?.leftovers.join() === 'write_report';
  line.check(isNamed, 'the receipt names the tool, and nothing else, as a leftover', leftovers);
  const fenced = run?.fencedEffects ?? Number.NaN;
  const inReceipt = fenced > 0 && fenced <= said.filter((at) => at < receiptAt).length;
  const inAll = stage.quietOf(receipt)?.fencedEffects;
  const counted = said.length + 1; // its write
  const counts = `${fenced}, and ${inAll} in the end; we counted ${counted}`;
  line.check(inReceipt && inAll === counted, 'and counts its fenced effects', counts);
  const apartMs = since(use?.endedAt, stage.quietOf(receipt)?.at);
  line.check(apartMs >= 0 && apartMs < AT_ONCE_MS, 'it is quiet when the tool has ended', `${ms(apartMs)} apart`);
  return stage.measured('4 deaf tool', answer, stop, { handOverMs });
}

async function processTree(stage: Stage): Promise<Measured> {
  const { line } = stage;
  line.scene('5  A tool has started a tree of processes');
  const message = 'Please run the checks.';
  const answer = stage.chat('checks', message);
  await answer.until((it) => Processes.named(it.text).size === 4);
  const processes = new Processes(Processes.named(answer.text), (name, pid) =>
    line.event('system', `${name} (${pid}) is gone`),
  );
  let leftAtQuiet: readonly string[] | undefined;
  let askedAt: number | undefined;
  const forget = [
    stage.app.control.on('run:aborted', () => {
      askedAt = performance.now();
    }),
    stage.app.control.on('run:quiet', () => {
      processes.look();
      leftAtQuiet = processes.left();
    }),
  ];
  line.event('system', `runs ${processes.describe()}`);

  const stop = stage.stopsNow(message);
  line.event('alice', 'POST /stop');
  const receipt = await stage.alice.stop('checks');
  line.event('alice', `has the receipt: ${receipt.result}, quiet: ${receipt.quiet}`);
  await answer.done;
  await sleep(WATCH_MS);
  for (const remove of forget) remove();

  stage.checkStopped(answer, 'checks', 'user', stop, processes.goneAt('compiler'));
  // Not from the stop on, which may be under way for long.
  const goneMs = (name: string): number => since(askedAt, processes.goneAt(name));
  const polite = Math.max(goneMs('checks'), goneMs('linter'));
  line.check(polite < ASKED_MS, 'what ends when it is asked is gone before the grace', ms(polite));
  const escaped = goneMs('watcher');
  line.check(escaped < ASKED_MS, 'so is what left for a session of its own', ms(escaped));
  const forced = since(stop.at, processes.goneAt('compiler'));
  line.check(forced >= GRACE_MS, 'what ignores SIGTERM has its grace, and is killed then', ms(forced));
  const left = processes.left();
  line.check(left.length === 0, 'nothing is left of the tree', left.length === 0 ? 'no process' : left.join(', '));
  const quietMs = stage.quietMs(receipt, stop);
  const isHonest = receipt.quiet && leftAtQuiet?.length === 0;
  line.check(isHonest, 'the receipt says quiet when the last is gone, not before', ms(quietMs));
  stage.checkQuiet(receipt, 'checks', 'user', stop);
  processes.end();
  return stage.measured('5 processes', answer, stop, { processesMs: forced });
}

async function shutdown(stage: Stage): Promise<Measured> {
  const { line } = stage;
  line.scene('6  Ctrl-C: the server drains');
  const message = 'Tell me about canals once more.';
  const answer = stage.chat('shutdown', message);
  await answer.until((it) => it.words >= 15);

  const stop = stage.stopsNow(message);
  line.event('server', 'control.drain()');
  await stage.app.close();
  const closedMs = since(stop.at, performance.now());
  line.event('server', 'closed');
  await answer.done;
  await stage.untilHungUp(message);
  await sleep(WATCH_MS);

  stage.checkStopped(answer, 'shutdown', 'shutdown', stop, stage.scriptEndedAt(message));
  stage.checkHungUp(stop);
  const isGone = await stage.alice.stop('shutdown').then(
    () => false,
    () => true,
  );
  line.check(isGone && closedMs < DRAIN_MS, 'the server is gone', `after ${ms(closedMs)}`);
  stage.checkQuiet(answer.receipt, 'shutdown', 'shutdown', stop);
  return stage.measured('6 shutdown', answer, stop);
}
