import { Turn } from './turn.js';

/** A conversation: its turns in order, made of what is kept of it and of what is told of it. */
export class Conversation {
  constructor(key, owner) {
    this.key = key;
    /** For an admin: the user whose it is, if it is somebody else's. */
    this.owner = owner;
    this.isLoaded = false;
    /** By run, in the order of the conversation. */
    this.turns = new Map();
    /** What was sent, and is not among the turns yet. */
    this.pending = [];
  }

  /** What `sessions.get`, `sessions.subscribe` and the like take. */
  get params() {
    return { key: this.key, ...(this.owner === undefined ? {} : { owner: this.owner }) };
  }

  get all() {
    return [...this.turns.values()];
  }

  get isBusy() {
    return this.all.some(({ isActive }) => isActive);
  }

  /** A question waits for a person. */
  get asks() {
    return this.all.some(({ parts }) => parts.some(({ status }) => status === 'asks'));
  }

  /** What `sessions.get` has answered. */
  read({ messages, active, approvals }) {
    this.isLoaded = true;
    const said = new Map();
    for (const message of messages) said.set(message.runId, [...(said.get(message.runId) ?? []), message]);
    const turns = new Map();
    for (const [runId, own] of said) {
      const turn = this.turns.get(runId) ?? new Turn(runId);
      turn.read(own);
      turns.set(runId, turn);
    }
    for (const { runId, generation } of active) {
      const turn = turns.get(runId);
      if (turn !== undefined && !turn.isLive) turn.state = generation === 0 ? 'queued' : 'running';
    }
    // What has begun since it was asked for.
    for (const [runId, turn] of this.turns)
      if (!turns.has(runId) && turn.isActive && turn.isLive) turns.set(runId, turn);
    this.turns = turns;
    for (const [runId, turn] of turns) turn.asks(approvals.filter((asked) => asked.runId === runId));
    this.pending = this.pending.filter(({ runId, isSteering }) => isSteering || !turns.has(runId));
  }

  /** An event of one of its runs. */
  apply(name, event) {
    const { runId } = event;
    const turn = this.turns.get(runId) ?? new Turn(runId);
    this.turns.set(runId, turn);
    turn.apply(name, event);
    if (name === 'steered') {
      // Several may say the same: each is taken once. It may be told before the send is answered.
      for (const { content } of event.messages) {
        const at = this.pending.findIndex((one) => one.text === content && (one.isSteering || one.runId === undefined));
        if (at >= 0) this.pending.splice(at, 1);
      }
    }
    // What was kept for it and was not taken is a turn of its own by now.
    if (!turn.isActive) this.pending = this.pending.filter((one) => one.runId !== runId || !one.isSteering);
  }
}
