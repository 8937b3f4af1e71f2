import type { AgentEvent } from '../agent/index.js';
import type { AbortReason, RunView } from '../index.js';
import type { StreamItem, StreamPosition } from '../streams/index.js';
import { type Caller, ownerFor } from '../transport/index.js';
import type { GatewayContext } from './context.js';
import type { Outlet } from './outlet.js';
import { fields, wordsOf } from './words.js';

/** Who follows, and where what the run says goes. */
export interface Follower {
  readonly context: GatewayContext;
  readonly caller: Caller;
  readonly outlet: Outlet;
  /** The client's key of the session. */
  readonly wireKey: string;
  /** The client cannot be followed up with: it reads too slowly, and is not to be waited for. */
  tooSlow(): void;
}

/** A client that follows a run: one event of it is its last, and none follows that one. */
export class Follow {
  readonly #follower: Follower;
  readonly #view: RunView;
  readonly #head: string;
  #generation: number;
  #seq = 0;
  #items: AsyncIterator<StreamItem<AgentEvent>> | undefined;
  #isOver = false;

  /** @param over - called once, when nothing of the run follows; not if it was left */
  constructor(follower: Follower, view: RunView, after: StreamPosition | number | undefined, over: () => void) {
    const { runner } = follower.context;
    this.#follower = follower;
    this.#view = view;
    this.#generation = view.generation;
    const { runId, kind, owner } = view;
    const head = { runId, sessionKey: follower.wireKey, ...ownerFor(follower.caller, owner), kind };
    // The same for each of its events: only what comes behind it is made for each.
    this.#head = JSON.stringify(head).slice(0, -1);
    const { requester } = follower.caller;
    const items = runner.streams.subscribe(runId, { requester, ...(after === undefined ? {} : { after }) });
    if (items === undefined) {
      this.#isOver = true;
      return;
    }
    this.#items = items[Symbol.asyncIterator]();
    void this.#run(this.#items).then(() => {
      if (this.#isOver) return;
      this.#isOver = true;
      over();
    });
  }

  /** There is nothing that it could follow, or it has come to its end. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Safe to repeat. */
  leave(): void {
    this.#isOver = true;
    void this.#items?.return?.();
  }

  async #run(items: AsyncIterator<StreamItem<AgentEvent>>): Promise<void> {
    const { outlet, context } = this.#follower;
    try {
      for (;;) {
        const { done, value } = await items.next();
        // It was left while it waited.
        if (done === true || this.#isOver) return;
        if (!this.#may()) break;
        if (value.type === 'cut' || value.type === 'end') {
          await this.#end(value);
          break;
        }
        this.#item(value);
        if (outlet.isFull && context.options.slowConsumer === 'close') this.#follower.tooSlow();
        // What the run says meanwhile is merged: it is what is read next.
        if (outlet.isFull) await outlet.whenFree();
        if (this.#isOver) return;
      }
    } catch (error) {
      context.control.onError(error, this.#view);
    }
    void items.return?.();
  }

  /** Rights may be taken away while a run goes on. */
  #may(): boolean {
    const { context, caller } = this.#follower;
    return context.control.may('subscribe', this.#view, { requester: caller.requester });
  }

  #item(item: Exclude<StreamItem<AgentEvent>, { type: 'cut' | 'end' }>): void {
    this.#generation = item.generation;
    if (item.type === 'event') {
      this.#seq = item.seq;
      const words = wordsOf(item.event);
      if (words !== undefined) this.#send(...words);
    } else if (item.type === 'gap') {
      this.#seq = item.to;
      this.#send('gap', `,"from":${item.from}`);
    } else {
      this.#seq = 0;
      this.#send('restart', '');
    }
  }

  /** A stop is told at the cut, any other end when all is saved. */
  async #end(item: Extract<StreamItem<AgentEvent>, { type: 'cut' | 'end' }>): Promise<void> {
    const { context } = this.#follower;
    const { runId } = this.#view;
    if (item.type === 'end') this.#generation = item.generation;
    // It was followed while it waited, and has said nothing.
    else if (this.#generation === 0) this.#generation = context.control.runs.get(runId)?.generation ?? 0;
    const { text, finish, message } = await context.endings.of(runId, this.#generation);
    // It was left, the connection was closed, or the right was taken away, while that was read.
    if (this.#isOver || !this.#may()) return;
    const said = text === '' ? {} : { text };
    if (item.type === 'cut' || item.status === 'aborted') {
      const stopReason: AbortReason = item.reason ?? 'policy';
      this.#send('chat', fields({ state: 'aborted', ...said, stopReason }));
    } else if (item.status === 'completed') {
      this.#send('chat', fields({ state: 'final', ...said, ...(finish === undefined ? {} : { finish }) }));
    } else {
      this.#send('chat', fields({ state: 'error', ...said, message: message ?? 'The run has failed.' }));
    }
  }

  #send(name: string, rest: string): void {
    const { outlet } = this.#follower;
    outlet.event(name, `${this.#head},"generation":${this.#generation},"seq":${this.#seq}${rest}}`);
  }
}
