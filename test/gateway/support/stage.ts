import type { RunControlOptions } from 'runfence';
import type { AgentRunnerOptions } from 'runfence/agent';
import {
  createGateway,
  type Gateway,
  type GatewayConnection,
  type GatewayMethods,
  type GatewayOptions,
} from 'runfence/gateway';
import type { FakeClock } from 'runfence/testing';
import type { Script } from '../../agent/support/scripted.js';
import { type Stage, stage } from '../../agent/support/stage.js';
import type { Said } from '../../agent/support/transcript.js';
import { atEndOfTest } from '../../support/at-end.js';

/** A frame that came out. */
export interface Frame {
  readonly type: 'res' | 'event';
  readonly id?: string | null;
  readonly ok?: boolean;
  readonly payload?: Record<string, unknown>;
  readonly error?: { readonly code: string; readonly message: string };
  readonly event?: string;
  readonly seq?: number;
}

/** A client without a socket: what it is sent is there in the tick in which it is sent. */
export class Client {
  readonly texts: string[] = [];
  readonly connection: GatewayConnection;
  /** How the gateway has closed it. */
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** Given, the client reads nothing until it is called. */
  stall: (() => void) | undefined;
  #stalled: Promise<void> | undefined;
  #lastId = 0;
  readonly #waiting = new Set<() => void>();

  constructor(gateway: Pick<Gateway, 'accept'>, headers: Record<string, string> = {}) {
    this.connection = gateway.accept(
      {
        send: (text) => {
          this.texts.push(text);
          for (const wake of [...this.#waiting]) wake();
          return this.#stalled;
        },
        close: (code, reason) => {
          this.closed = { code, reason };
          for (const wake of [...this.#waiting]) wake();
        },
      },
      new Headers(headers),
    );
  }

  /** From now on nothing that is sent goes out. @returns reads again */
  stallNow(): () => void {
    let read = (): void => {};
    this.#stalled = new Promise((resolve) => {
      read = resolve;
    });
    return () => {
      this.#stalled = undefined;
      read();
    };
  }

  get frames(): Frame[] {
    return this.texts.map((text) => JSON.parse(text) as Frame);
  }

  events(name?: string): Frame[] {
    return this.frames.filter(({ type, event }) => type === 'event' && (name === undefined || event === name));
  }

  /** The states of what a run said, deltas as their text. */
  said(runId?: string): string[] {
    return this.events('chat')
      .map(({ payload }) => payload as { runId: string; state: string; delta?: string })
      .filter((payload) => runId === undefined || payload.runId === runId)
      .map(({ state, delta }) => delta ?? state);
  }

  /** Sends a request. */
  ask(method: string, params?: object, id: string = `r${++this.#lastId}`): string {
    this.connection.receive(JSON.stringify({ type: 'req', id, method, ...(params === undefined ? {} : { params }) }));
    return id;
  }

  /** Sends a request, and waits for its answer. */
  async call(method: string, params?: object): Promise<Frame> {
    return this.answerTo(this.ask(method, params));
  }

  async answerTo(id: string): Promise<Frame> {
    return this.until(() => this.frames.find((frame) => frame.type === 'res' && frame.id === id));
  }

  async connect(token?: string): Promise<this> {
    await this.call('connect', token === undefined ? {} : { auth: { token } });
    return this;
  }

  /** Waits until something is there. */
  async until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  /** Until a run, or any, has come to its end. */
  async end(runId?: string): Promise<Record<string, unknown>> {
    return this.until(
      () =>
        this.events('chat').find(
          ({ payload }) => payload?.state !== 'delta' && (runId === undefined || payload?.runId === runId),
        )?.payload,
    );
  }
}

export interface GatewayStage<M extends GatewayMethods> extends Stage {
  readonly gateway: Gateway<M>;
  /** A client that is connected already, as a user. */
  client(userId?: string): Promise<Client>;
}

interface Options<M extends GatewayMethods> {
  readonly gateway?: Partial<GatewayOptions<M>>;
  readonly runner?: Partial<AgentRunnerOptions<Said>>;
  readonly control?: Omit<RunControlOptions, 'clock'>;
  readonly clock?: FakeClock;
}

/** By the token in `auth`, or in the header; `root` is an admin. */
export const byToken: GatewayOptions['authenticate'] = ({ headers, auth }) => {
  const given = (auth as { token?: unknown } | undefined)?.token;
  const token = typeof given === 'string' ? given : /^Bearer (.+)$/.exec(headers.get('authorization') ?? '')?.[1];
  if (token === undefined || token === '') return undefined;
  return { principal: { userId: token }, ...(token === 'root' ? { admin: true } : {}) };
};

/** A gateway over a runner with the tests' own agent. */
export function gatewayStage<M extends GatewayMethods = Record<never, never>>(
  script: Script | readonly Script[],
  options: Options<M> = {},
): GatewayStage<M> {
  const staged = stage(script, options.runner, options.control, options.clock);
  const gateway = createGateway<M>(staged.runner, { authenticate: byToken, ...options.gateway } as GatewayOptions<M>);
  atEndOfTest(() => gateway.close());
  return { ...staged, gateway, client: (userId = 'ada') => new Client(gateway).connect(userId) };
}
