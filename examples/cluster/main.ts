/**
 * `npm run cluster -- redis`, `npm run cluster -- postgres`: two nodes of the quickstart's chat server behind a proxy. Every
 * check looks at where effects land: the bytes that the client received, the tokens that the model generated, the rows in
 * the store. Exits with 1 and a list if anything did not hold.
 */
import { paint, Timeline } from '../quickstart/demo/timeline.js';
import { Cluster } from './cluster.js';
import { scenes } from './scenes.js';

const LIMIT_MS = 100_000;

const kind = process.argv[2] ?? '';
if (kind !== 'redis' && kind !== 'postgres') {
  console.error('Usage: npm run cluster -- redis | postgres');
  process.exit(2);
}
setTimeout(() => {
  console.error('The cluster did not come to its end.');
  process.exit(1);
}, LIMIT_MS).unref();

const line = new Timeline();
line.print(`Two nodes, a proxy, a scripted model and ${kind === 'redis' ? 'Redis' : 'Postgres'}.`);
const cluster = await Cluster.open(kind, line);
try {
  for (const scene of scenes) await scene(cluster);
} catch (error) {
  line.check(false, 'the scene runs to its end', String(error));
} finally {
  await cluster.close();
}
const broken = line.checks.filter(({ held }) => !held);
line.print();
if (broken.length === 0) {
  line.print(paint('green', `All ${line.checks.length} checks held.`));
} else {
  process.exitCode = 1;
  line.print(paint('red', `${broken.length} of ${line.checks.length} checks did not hold:`));
  for (const { scene, claim, evidence } of broken) line.print(`  ${scene}: ${claim} (${evidence})`);
}
