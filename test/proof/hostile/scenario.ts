import { flush } from 'runfence/testing';
import { acquire, act, announceEpilogue, commit, finish, waitFor } from './acts.js';
import { Cast } from './cast.js';
import { end, expectHeld } from './ending.js';
import { type Ground, type Node, nodesOn } from './nodes.js';
import { begin, child } from './starts.js';
import { abort, drain } from './stops.js';

const STEPS = 40;

/**
 * Random begins, stops, writes and drains on nodes whose backend is hostile; then all is healed and ended, and checked.
 *
 * @returns what went wrong; empty when all is well
 */
export async function play(seed: number, nodes: number, ground: Ground): Promise<readonly string[]> {
  const cast = new Cast(seed, nodesOn(ground, nodes, seed));
  for (let count = 0; count < STEPS; count++) {
    step(cast);
    await pause(cast);
    expectHeld(cast);
  }
  await end(cast, typeof ground === 'string' ? {} : ground);
  return cast.wrong;
}

function step(cast: Cast): void {
  const { random, runs, world } = cast;
  const node = random.oneOf(world.nodes) as Node;
  const run = random.oneOf([...runs.keys()]);
  const roll = random.below(100);
  if (run === undefined || roll < 35) begin(cast, node);
  else if (roll < 50) abort(cast, node, run);
  else if (roll < 60) finish(cast, run);
  else if (roll < 72) commit(cast, run);
  else if (roll < 80) announceEpilogue(cast, run);
  else if (roll < 86) child(cast, run);
  else if (roll < 91) acquire(cast, node, run);
  else if (roll < 95) waitFor(cast, node, run);
  else if (roll < 99) act(cast, run);
  else drain(cast, node);
}

async function pause({ random, world }: Cast): Promise<void> {
  const roll = random.below(10);
  if (roll < 3) return;
  if (roll < 5) await flush();
  else await world.clock.advance(random.below(roll < 9 ? 60 : 6_000));
}
