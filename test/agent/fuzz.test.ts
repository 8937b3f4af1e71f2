import { type AgentRunner, memoryHistory, type Sent } from 'runfence/agent';
import { memory } from 'runfence/backend';
import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { times } from '../support/proofs.js';
import { FaultyHistory } from './support/histories.js';
import { randomOf } from './support/random.js';
import type { Script, Scripted } from './support/scripted.js';
import { keptIn, type Stage, stage } from './support/stage.js';

/** If the stop comes first, it is an error without a caller. */
const GONE = 'the model is gone';
const EXPECTED = [GONE, 'no such turn to replace'];

const BUSY = ['interrupt', 'enqueue', 'reject', 'concurrent', 'steer', 'collect'] as const;

/** A world of two nodes with one session, in which anything happens. */
class World {
  readonly nodes: Stage[];
  readonly history: FaultyHistory | ReturnType<typeof memoryHistory>;
  /** What was said and taken. */
  readonly taken = new Set<string>();
  readonly sends: Sent[] = [];
  readonly random: () => number;
  #said = 0;

  readonly kind: 'plain' | 'replacing' | 'failing';

  constructor(seed: number, kind: World['kind']) {
    this.kind = kind;
    this.random = randomOf(seed);
    this.history = kind === 'failing' ? new FaultyHistory() : memoryHistory();
    const backend = memory();
    const { history } = this;
    const a = stage(this.#script, { history }, { backend });
    // What a store did not take is known to the node that was to write it alone.
    this.nodes = kind === 'failing' ? [a] : [a, stage(this.#script, { history }, { backend }, a.clock)];
  }

  pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.random() * of.length)] as T;
  }

  get #runner(): AgentRunner {
    return this.pick(this.nodes).runner;
  }

  readonly #script: Script = async (turn) => {
    do {
      turn.ask();
      for (let words = this.random() * 3; words > 0; words -= 1) {
        turn.say('w ');
        await this.#pause();
      }
      if (this.random() < 0.4) await this.#call(turn);
      if (this.random() < 0.05) throw new Error(GONE);
      if (this.random() < 0.05) {
        turn.clientTool(`client-${this.random()}`, 'ask');
        return { reason: 'client-tools' };
      }
      turn.say('.');
    } while (!turn.ends());
    return undefined;
  };

  async #call(turn: Scripted): Promise<void> {
    const effect = this.pick(['read', 'idempotent', 'unsafe'] as const);
    await turn.tool('tool', () => this.#pause(), { effect, asks: this.random() < 0.2 });
    turn.ask();
  }

  async #pause(): Promise<void> {
    for (let ticks = Math.floor(this.random() * 12); ticks > 0; ticks -= 1) await Promise.resolve();
    if (this.random() < 0.2) await flush();
  }

  async #send(): Promise<void> {
    this.#said += 1;
    const messages = `m${this.#said}`;
    const whenBusy = this.pick(BUSY);
    const replace =
      this.kind === 'replacing' && this.random() < 0.3 && ['interrupt', 'enqueue', 'reject'].includes(whenBusy)
        ? this.pick(this.sends)?.runId
        : undefined;
    const options = {
      sessionKey: 's',
      messages,
      whenBusy,
      ...(replace === undefined ? {} : { replace }),
      ...(this.random() < 0.6 ? { messageId: messages } : {}),
    };
    const again = this.random() < 0.2 && options.messageId !== undefined ? 2 : 1;
    for (let n = 0; n < again; n += 1) {
      const sent = await this.#runner.send(options);
      if (sent.status !== 'rejected') this.taken.add(messages);
      if (sent.status !== 'rejected' && sent.status !== 'aborted') this.sends.push(sent);
    }
  }

  async #steer(): Promise<void> {
    this.#said += 1;
    const messages = `s${this.#said}`;
    const target = this.pick(this.sends)?.runId ?? 'none';
    const { status } = await this.#runner.steer(target, messages, { messageId: messages });
    if (status !== 'stale') this.taken.add(messages);
  }

  async step(): Promise<void> {
    const what = this.random();
    if (what < 0.45) await this.#send();
    else if (what < 0.6) await this.#steer();
    else if (what < 0.7) {
      const reason = this.pick(['user', 'disconnect', 'timeout'] as const);
      const runId = this.pick(this.sends)?.runId;
      const selector = runId === undefined || this.random() < 0.3 ? { sessionKey: 's' } : { runId };
      await this.pick(this.nodes).control.abort(selector, { reason });
    } else if (what < 0.8) {
      for (const { runner } of this.nodes) {
        for (const { approvalId } of (await runner.messages('s').catch(() => ({ approvals: [] }))).approvals) {
          await runner.answer(approvalId, { approved: this.random() < 0.7 });
        }
      }
    } else if (what < 0.85 && this.history instanceof FaultyHistory) {
      this.history.next(this.pick(['read', 'write']), this.pick(['throws', 'loses its answer']));
    } else await this.#pause();
  }

  async end(): Promise<string[]> {
    const wrong: string[] = [];
    for (const { control } of this.nodes) await control.abort('all');
    for (let rounds = 0; rounds < 5; rounds += 1) await flush();
    // Also what a lock that was asked for at the wrong moment still waits for.
    await this.nodes[0]?.clock.advance(200);
    for (const sent of this.sends) {
      const saved = await Promise.race([sent.whenSaved(), flush().then(() => undefined)]);
      if (saved === undefined) wrong.push(`${sent.runId}: whenSaved is open`);
    }
    // The next turn of each node writes what is owed, and the model takes what is left.
    for (const { runner, agent } of this.nodes) {
      agent.script = [
        async (turn) => {
          turn.ask();
          turn.say('end');
        },
      ];
      const last = await runner.send({ sessionKey: 's', messages: 'last' });
      if ('outcome' in last && (await last.outcome).status !== 'completed' && this.kind !== 'failing')
        wrong.push('the last turn has failed');
    }
    for (const { agent, errors } of this.nodes) {
      wrong.push(...agent.problems);
      if (this.kind !== 'failing')
        wrong.push(...errors.map(String).filter((error) => !EXPECTED.some((one) => error.includes(one))));
    }
    const { lines } = await keptIn(this.history);
    for (const words of this.taken) {
      const count = lines.filter((line) => line === `user: ${words}`).length;
      if (count > 1 || (count === 0 && this.kind === 'plain')) wrong.push(`"${words}" is kept ${count} times`);
    }
    return wrong;
  }
}

const SEEDS = process.env.AGENT_SEED === undefined ? undefined : [Number(process.env.AGENT_SEED)];

for (const kind of ['plain', 'replacing', 'failing'] as const) {
  test(`anything may happen in a ${kind} world: nothing is lost, doubled or invalid`, async () => {
    const seeds = SEEDS ?? Array.from({ length: times(25, 300) }, (_, at) => at + 1);
    for (const seed of seeds) {
      const world = new World(seed, kind);
      const steps = Array.from({ length: 25 }, () => world.step());
      await Promise.all(steps.slice(0, 5));
      for (let at = 0; at < 40; at += 1) await world.step();
      await Promise.allSettled(steps);
      expect(await world.end(), `AGENT_SEED=${seed}`).toEqual([]);
    }
  });
}
