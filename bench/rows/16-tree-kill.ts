import { absolute, type Figure, ratio } from '../harness/figure.js';
import { type Bench, check, type Row } from '../harness/row.js';
import { GRACE_MS, isRunning, type Peer, peers, runfence, type Stop, signal, trees } from './16-sides.js';

/** What is there after that is left behind. */
const WATCH_MS = 500;
/** So often a peer leaves something behind before it is believed, and not asked again. */
const BELIEVED = 2;

const sides = { runfence, ...peers };
type Tree = keyof typeof trees;
type SideName = keyof typeof sides;

const treeNames = Object.keys(trees) as Tree[];
const sideNames = Object.keys(sides) as SideName[];
const peerNames = Object.keys(peers) as Peer[];

/** The trees that a peer kills in whole, so that its time can be compared. */
const killed: readonly (readonly [Tree, Peer])[] = [
  ['plain', 'its group'],
  ['plain', 'tree-kill'],
  ['own session', 'tree-kill'],
];

interface Cell {
  readonly tree: Tree;
  readonly stop: Stop;
  readonly side: SideName;
  /** From the stop until all of it was gone, in ms, but at most the time that is watched. */
  readonly ms: number[];
  readonly left: number[];
}

async function once({ tree, stop, side, ms, left }: Cell, watchMs: number): Promise<void> {
  const started = await sides[side](trees[tree], stop);
  const running = (): number[] => started.pids.filter(isRunning);
  check(running().length === started.pids.length, `${tree}: all of it runs`);
  const since = performance.now();
  const stopping = started.stop();
  // A turn of the event loop: the sides need it, and a timer would not look so often.
  while (running().length > 0 && performance.now() - since < watchMs) await new Promise((next) => setImmediate(next));
  ms.push(Math.min(watchMs, performance.now() - since));
  const orphans = running();
  left.push(orphans.length);
  await stopping;
  for (const pid of orphans) signal(pid, 'SIGKILL');
  await started.end();
}

async function measureAll(bench: Bench): Promise<Cell[]> {
  const cells = treeNames.flatMap((tree) =>
    (['KILL', 'TERM'] as const).flatMap((stop) =>
      sideNames.map((side): Cell => ({ tree, stop, side, ms: [], left: [] })),
    ),
  );
  const isBelieved = ({ side, left }: Cell): boolean =>
    side !== 'runfence' && left.filter((count) => count > 0).length === BELIEVED;
  // Code that runs for the first time is slow, ours and theirs.
  if (!bench.isQuick) for (const cell of cells) await once({ ...cell, ms: [], left: [] }, 2 * GRACE_MS);
  for (let round = 1; round <= bench.repetitions(); round++) {
    bench.note(`${round} of ${bench.repetitions()}`);
    for (const cell of cells) if (!isBelieved(cell)) await once(cell, bench.isQuick ? 3 * GRACE_MS : WATCH_MS);
  }
  return cells;
}

export const row: Row = {
  title: 'the end of a tree of three processes',
  measure: async (bench) => {
    const cells = await measureAll(bench);
    const of = (tree: Tree, side: SideName): readonly Cell[] =>
      cells.filter((cell) => cell.tree === tree && cell.side === side);
    const kill = (tree: Tree, side: SideName): Cell => of(tree, side).find(({ stop }) => stop === 'KILL') as Cell;
    const against = (tree: Tree, peer: Peer): Figure => {
      const theirs = kill(tree, peer).ms;
      // As many of ours, should the peer have been believed early.
      const ours = kill(tree, 'runfence').ms.slice(0, theirs.length);
      const sample = (name: string, ms: readonly number[]) => ({ name, values: ms.map((value) => value * 1e6) });
      return ratio(`${tree}: KILL against ${peer}`, sample('runfence', ours), sample(peer, theirs));
    };
    const most = (tree: Tree, side: SideName): number => Math.max(...of(tree, side).flatMap(({ left }) => left));
    return treeNames.flatMap((tree): Figure[] => [
      ...of(tree, 'runfence').map(({ stop, ms }) => {
        if (stop === 'KILL') return absolute(`${tree}: KILL`, 'ms', ms, { budget: 10, stretch: 5 });
        const target = tree.endsWith('TERM trapped') ? { budget: GRACE_MS + 10, stretch: GRACE_MS + 5 } : {};
        return absolute(`${tree}: TERM, KILL after ${GRACE_MS} ms`, 'ms', ms, target);
      }),
      ...killed.filter(([which]) => which === tree).map(([, peer]) => against(tree, peer)),
      absolute(`${tree}: left behind`, '', [most(tree, 'runfence')], { budget: 0, stretch: 0 }),
      ...peerNames.map((peer) => absolute(`${tree}: left behind by ${peer}`, '', [most(tree, peer)])),
    ]);
  },
};
