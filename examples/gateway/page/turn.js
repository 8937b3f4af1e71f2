/**
 * One turn: what was said, and what the answer is made of, in order. Parts are
 * `{ type: 'text' | 'thought' | 'said', text }` and `{ type: 'tool', name, callId, input, status, output, pid, approvalId }`.
 */
export class Turn {
  /** What was told of it, in order, by events or by the history. */
  #told = [];
  /** Questions that are open and that no event has told yet. */
  #asked = [];
  /** Questions that events have told. A list of open ones that was made before may still have them. */
  #toldQuestions = new Set();
  /** The state in which the history was read, until events say more. */
  #readState;

  constructor(runId) {
    this.runId = runId;
    /** What the user said, which began it. */
    this.said = [];
    /** `queued`, `running`, `completed`, `aborted` or `error`. */
    this.state = 'running';
    this.reason = undefined;
    this.message = undefined;
    /** The parts came as events, from the first to the last. */
    this.isLive = false;
    this.hasGap = false;
    /** It took messages on its way. They come when they are taken, and the kept turn has them where they were read. */
    this.isSteered = false;
  }

  get parts() {
    return [...this.#told, ...this.#asked];
  }

  get isActive() {
    return this.state === 'queued' || this.state === 'running';
  }

  /** An event of its run. */
  apply(name, event) {
    if (!this.isLive) this.#begin();
    if (this.state === 'queued') this.state = 'running';
    if (name === 'restart') this.#told = [];
    else if (name === 'gap') this.hasGap = true;
    else if (name === 'reasoning') this.#append('thought', event.delta);
    else if (name === 'steered') this.#steered(event.messages);
    else if (name === 'tool') this.#tool(event);
    else if (name === 'data') this.#data(event);
    else if (event.state === 'delta') this.#append('text', event.delta);
    else this.#end(event);
  }

  /** The questions of it that are open. One keeps its part for as long as it is: its buttons may have the focus. */
  asks(approvals) {
    const known = ({ approvalId }) => this.#asked.find((part) => part.approvalId === approvalId);
    this.#asked = approvals
      .filter(({ approvalId }) => this.isActive && !this.#toldQuestions.has(approvalId))
      .map((asked) => known(asked) ?? toolPart(asked, 'asks'));
  }

  /** Its messages, as they are kept. What came as events says more: pids, what a command has printed. */
  read(messages) {
    const firstAnswer = messages.findIndex(({ role }) => role !== 'user');
    const own = firstAnswer < 0 ? messages : messages.slice(0, firstAnswer);
    this.said = own.map(({ content }) => textOf(content));
    const [{ state, reason } = {}] = messages;
    if (!this.isLive) {
      this.state = STATES[state] ?? 'running';
      this.reason = reason;
    }
    const isOver = state === 'whole' || state === 'cut' || state === 'failed';
    if (this.isLive && !((this.hasGap || this.isSteered) && isOver)) return;
    // Nothing is added to what is over: what a reader has opened of it stays open.
    if (isOver && this.#readState === state) return;
    this.#readState = state;
    const tools = this.hasGap ? [] : this.#told.filter(({ type }) => type === 'tool');
    this.hasGap = false;
    this.isSteered = false;
    this.#told = [];
    for (const message of messages.slice(own.length)) this.#readOne(message);
    this.#told = this.#told.map((part) => (part.type === 'tool' && tools.shift()) || part);
  }

  /** Events tell all of it from its first word on: what was read before the first of them came would be there twice. */
  #begin() {
    this.isLive = true;
    this.#readState = undefined;
    this.#told = [];
  }

  #steered(messages) {
    this.isSteered = true;
    for (const { content } of messages) this.#add('said', textOf(content));
  }

  #readOne({ role, content }) {
    if (role === 'user') {
      this.#add('said', textOf(content));
      return;
    }
    const parts = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
    for (const part of parts) {
      if (part.type === 'text' && role === 'assistant') this.#append('text', part.text);
      if (part.type === 'tool-call') this.#told.push(toolPart(part, 'unknown'));
      if (part.type !== 'tool-result') continue;
      const tool = this.#toolOf(part.callId);
      if (tool === undefined) continue;
      tool.status = part.isError ? 'error' : 'ok';
      tool.output = asText(part.output);
    }
  }

  #tool(event) {
    const { phase, callId, approvalId, status, output } = event;
    if (phase === 'approval') {
      this.#told.push(this.#takeAsked((part) => part.approvalId === approvalId) ?? toolPart(event, 'asks'));
      this.#toldQuestions.add(approvalId);
      return;
    }
    const open = this.#toolOf(callId, ['asks', 'running']);
    if (phase === 'start') {
      if (open?.status === 'asks') Object.assign(open, { status: 'running', approvalId: undefined });
      else this.#told.push(toolPart(event, 'running'));
    } else if (open !== undefined) {
      Object.assign(open, { status, approvalId: undefined });
      // The whole of it, with what a command has ended with. Of one that was cut there is what it has printed.
      if (output !== undefined) open.output = asText(output);
    }
  }

  #data({ name, data }) {
    const tool = this.#toolOf(data?.callId);
    if (tool === undefined) return;
    if (name === 'process') tool.pid = data.pid;
    if (name === 'output') tool.output += data.text;
  }

  #end({ state, stopReason, message }) {
    this.state = state === 'final' ? 'completed' : state;
    this.reason = stopReason;
    this.message = message;
    this.#told.push(...this.#asked.splice(0));
    for (const part of this.#told) {
      if (part.type !== 'tool' || !['asks', 'running'].includes(part.status)) continue;
      part.status = part.status === 'asks' ? 'not-started' : 'cut';
      part.approvalId = undefined;
    }
  }

  #append(type, text) {
    const last = this.#told.at(-1);
    if (last?.type === type) last.text += text;
    else this.#add(type, text);
  }

  #add(type, text) {
    this.#told.push({ type, text });
  }

  #takeAsked(isIt) {
    const at = this.#asked.findIndex(isIt);
    return at < 0 ? undefined : this.#asked.splice(at, 1)[0];
  }

  /** Models repeat their ids: the newest is meant. */
  #toolOf(callId, statuses) {
    return this.#told.findLast(
      (part) => part.type === 'tool' && part.callId === callId && (statuses?.includes(part.status) ?? true),
    );
  }
}

function toolPart({ name, callId, input, approvalId }, status) {
  return { type: 'tool', name, callId, input, status, output: '', pid: undefined, approvalId };
}

/** How the history calls them. */
const STATES = { queued: 'queued', open: 'running', whole: 'completed', cut: 'aborted', failed: 'error' };

function textOf(content) {
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : part.type === 'file' ? '[file]' : '')).join('');
}

function asText(output) {
  return typeof output === 'string' ? output : output === undefined ? '' : JSON.stringify(output, undefined, 2);
}
