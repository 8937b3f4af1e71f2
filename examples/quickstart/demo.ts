/**
 * `npm run demo`: starts the chat server and a scripted model server, drives them with real HTTP requests, and shows
 * what a stop does. Every check looks at where the effects land: the bytes that the client received, the tokens that
 * the model server generated, the writes that reached the store, the calls that the tools got. What the library
 * reports is only ever compared with that. Exits with 1 and a list if anything did not hold.
 *
 * `npm run demo -- --serve` leaves the server up and prints the curl lines to try.
 */
import { cronScene } from '../cron/scene.js';
import { gatewayScene } from '../gateway/scene.js';
import { agentScene } from './demo/agent-scene.js';
import { scenes } from './demo/scenes.js';
import { type Measured, Stage, TOKENS_PER_SECOND } from './demo/stage.js';
import { ms, paint, type Timeline } from './demo/timeline.js';

async function demo(): Promise<void> {
  console.log('Starting a chat server and a scripted model server.');
  const stage = await Stage.open();
  const { line, store } = stage;
  line.print(
    `Warmed up by one answer and one stop. That stop, the first of the process, took ${ms(stage.firstStopMs)}.\n`,
  );
  const interrupted = new Promise<'interrupted'>((resolve) => {
    process.once('SIGINT', () => resolve('interrupted'));
  });
  line.print(
    `runfence quickstart: chat server on ${stage.url}, ` +
      `scripted model on ${stage.model.baseURL}, ${TOKENS_PER_SECOND} tokens/s`,
  );

  const measured: Measured[] = [];
  try {
    for (const scene of scenes) {
      const result = await Promise.race([scene(stage), interrupted]);
      if (result === 'interrupted') {
        await stage.close();
        line.print('Interrupted: drained and closed.');
        process.exit(130);
      }
      measured.push(result);
    }
    for (const scene of [cronScene, agentScene, gatewayScene])
      if ((await Promise.race([scene(line), interrupted])) === 'interrupted') process.exit(130);
  } catch (error) {
    line.check(false, 'the scene runs to its end', String(error));
  }
  await stage.close();

  line.scene('Over all scenes');
  line.check(store.overlaps() === 0, 'no two writes to one chat overlap, tokens rise', `${store.saves.length} writes`);
  const refused = store.saves.filter((save) => save.refused).length;
  line.check(refused === 0, 'no stale write even got as far as the store', `${refused} refused`);
  printTable(line, measured);
  printVerdict(line);
}

function printTable(line: Timeline, measured: readonly Measured[]): void {
  const row = (name: string, cell: (scene: Measured) => string): string[] => [name, ...measured.map(cell)];
  line.print(`\n${paint('bold', 'Measured, from the moment at which the stop was sent')}`);
  line.table([
    row('', (scene) => scene.title),
    row('stop to last byte of the answer', (scene) => ms(scene.lastByteMs)),
    row('stop to quiet', (scene) => ms(scene.quietMs)),
    row('lock, from the epilogue to the next', (scene) =>
      scene.handOverMs === undefined ? '-' : ms(scene.handOverMs),
    ),
    row('last process gone', (scene) => (scene.processesMs === undefined ? '-' : ms(scene.processesMs))),
    row('tokens generated after the stop', (scene) => String(scene.tokensAfter)),
    row('fenced effects in the receipt', (scene) => String(scene.fenced)),
    row('leftovers in the receipt', (scene) => scene.leftovers.join(', ') || 'none'),
  ]);
}

function printVerdict(line: Timeline): void {
  const broken = line.checks.filter((check) => !check.held);
  line.print();
  if (broken.length === 0) {
    line.print(paint('green', `All ${line.checks.length} checks held.`));
    return;
  }
  process.exitCode = 1;
  line.print(paint('red', `${broken.length} of ${line.checks.length} checks did not hold:`));
  for (const { scene, claim, evidence } of broken) line.print(`  ${scene}: ${claim} (${evidence})`);
}

/** A demo that hangs has failed, and so has one that leaves something behind which keeps the process up. */
function failAfter(timeoutMs: number, what: string): NodeJS.Timeout {
  const fail = (): void => {
    process.stderr.write(`${what}; still open: ${process.getActiveResourcesInfo().join(', ')}\n`);
    process.exit(1);
  };
  return setTimeout(fail, timeoutMs).unref();
}

if (process.argv.includes('--serve')) {
  await import('./main.js');
} else {
  const finished = failAfter(100_000, 'The demo did not come to its end');
  await demo();
  clearTimeout(finished);
  failAfter(3_000, 'The demo is over, but its process did not exit by itself');
}
