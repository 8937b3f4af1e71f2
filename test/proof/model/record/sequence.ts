import type { ForgetRequest, StopAnswer, StopEverywhereRequest, StopRequest } from 'runfence/backend';
import type { Choices } from './choices.js';
import { type Change, isChange, type Operation, type Other } from './operations.js';
import { isLive } from './parts.js';
import { NODES, Requests, SESSIONS } from './requests.js';
import type { World } from './world.js';

/** A stop that was answered: a failover may lose it. */
interface AnsweredStop {
  readonly request: StopRequest;
  readonly number: number;
  readonly named: readonly string[];
}

/** The operations of one random sequence. It knows what the reference has, and what was asked before. */
export class Sequence {
  readonly #random: Choices;
  readonly #world: World;
  readonly #requests: Requests;
  readonly #asked: (Change | Other)[] = [];
  readonly #stops: AnsweredStop[] = [];
  readonly #listed: (StopEverywhereRequest & { readonly number: number })[] = [];

  constructor(random: Choices, world: World) {
    this.#random = random;
    this.#world = world;
    this.#requests = new Requests(random, world);
  }

  next(): Operation {
    const random = this.#random;
    const asked = random.chance(0.14) ? random.one(this.#asked.slice(-12)) : undefined;
    if (asked !== undefined) return this.#again(asked);
    const operation = this.#fresh();
    if (isChange(operation) || operation.kind === 'stopEverywhere') this.#asked.push(operation);
    return operation;
  }

  /** What the answer was, for what is asked later. */
  answered(operation: Operation, answer: object, version: number): void {
    if (isChange(operation)) this.#requests.answered(operation.request.nodeId, operation.request.sessionKey, version);
    if (operation.kind === 'stop') {
      const { number, runs } = answer as StopAnswer;
      if (number === undefined || operation.request.number !== undefined) return;
      const named = runs.filter(({ found }) => found === 'stopped').map(({ runId }) => runId);
      this.#stops.push({ request: operation.request, number, named });
    } else if (operation.kind === 'stopEverywhere' && operation.request.number === undefined) {
      this.#listed.push({ ...operation.request, ...(answer as { number: number }) });
    }
  }

  #again(asked: Change | Other): Operation {
    if (!isChange(asked) || this.#random.chance(0.5)) return asked;
    const { sessionKey, nodeId } = asked.request;
    return { ...asked, request: { ...asked.request, ...this.#requests.about(sessionKey, nodeId) } } as Change;
  }

  #fresh(): Operation {
    const random = this.#random;
    const draw = random.below(100);
    if (draw < 28) return { kind: 'claim', request: this.#requests.claim() };
    if (draw < 40) return { kind: 'stop', request: this.#stop() };
    if (draw < 51) return { kind: 'end', request: this.#requests.end() };
    if (draw < 59) return { kind: 'announce', request: this.#requests.announce() };
    if (draw < 73) return { kind: 'lock', request: this.#requests.lock() };
    if (draw < 80) return { kind: 'unlock', request: this.#requests.unlock() };
    if (draw < 84) return { kind: 'stopEverywhere', request: this.#stopEverywhere() };
    if (draw < 89) return { kind: 'forget', request: this.#forget() };
    if (draw < 94) return { kind: random.of('lapse', 'lapse', 'renew'), nodeId: random.of<string>(...NODES) };
    if (draw < 96) return this.#subscription();
    return this.#read();
  }

  #stop(): StopRequest {
    const lost = this.#random.chance(0.3)
      ? this.#random.one(this.#stops.filter((stop) => !this.#isKept(stop)))
      : undefined;
    return lost === undefined ? this.#requests.stop() : this.#requests.lostStop(lost);
  }

  #isKept({ request: { sessionKey }, number }: AnsweredStop): boolean {
    return this.#world.room(sessionKey).stops.some(({ stop }) => stop.number === number);
  }

  #stopEverywhere(): StopEverywhereRequest {
    const random = this.#random;
    const isListed = (number: number): boolean => this.#world.list.some((stop) => stop.number === number);
    const lost = this.#listed.filter(({ number }) => !isListed(number));
    const again = random.chance(0.3) ? random.one(lost) : undefined;
    if (again !== undefined) return again;
    const [nodeId, attempt] = [random.of<string>(...NODES), this.#requests.attempt()];
    const intent = random.chance(0.4);
    const selector = intent ? { runId: this.#requests.runId() } : this.#requests.selector(undefined);
    const requester = this.#requests.requester();
    const detail = this.#requests.detail();
    return {
      nodeId,
      attempt,
      selector,
      requester,
      reason: random.of('user', 'shutdown'),
      ...detail,
      ...(intent && { intent }),
      number: undefined,
    };
  }

  #forget(): ForgetRequest {
    const random = this.#random;
    const { runs, rooms, list } = this.#world;
    const run = random.one(random.chance(0.1) ? runs : runs.filter((known) => !isLive(known)));
    const stops = rooms.flatMap(({ key, stops: kept }) =>
      kept.map(({ stop }) => ({ sessionKey: key, stop: stop.number })),
    );
    const stop = random.one(stops);
    const listed = random.one(list);
    if (run !== undefined && random.chance(0.4)) {
      const { sessionKey, runId, generation } = run;
      return { sessionKey, runId, generation: generation - (random.chance(0.1) ? 1 : 0) };
    }
    if (stop !== undefined && random.chance(0.7)) return stop;
    return { listed: listed?.number ?? 0 };
  }

  #subscription(): Operation {
    const nodeId = this.#random.of<string>(...NODES);
    return { kind: this.#world.nodes.has(nodeId) ? 'unsubscribe' : 'subscribe', nodeId };
  }

  #read(): Operation {
    const random = this.#random;
    const sessionKey = random.of<string>(...SESSIONS);
    const run = random.one(this.#world.runs);
    const { runId = 'a', generation = 1 } = run ?? {};
    const token = random.chance(0.5) ? this.#world.room(sessionKey).holder?.token : undefined;
    return random.of<Operation>(
      { kind: 'readActive' },
      { kind: 'readStops' },
      { kind: 'readNode', request: random.of<string>(...NODES) },
      { kind: 'readRun', request: { runId, sessionKey: random.of(undefined, sessionKey), nodeId: 'A', watch: false } },
      { kind: 'check', request: { sessionKey, run: { runId, generation }, token } },
      { kind: 'check', request: { sessionKey, run: undefined, token: token ?? 1 } },
    );
  }
}
