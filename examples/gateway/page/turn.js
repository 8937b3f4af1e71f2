/**
 * One turn: what was said, and what the answer is made of, in order. Parts are
 * `{ type: 'text' | 'thought' | 'said', text }` and `{ type: 'tool', name, callId, input, status, output, pid, approvalId }`.
 */
export class Turn {
  constructor(runId) {
    this.runId = runId;
    /** What the user said, which began it. */
    this.said = [];
    this.parts = [];
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

  get isActive() {
    return this.state === 'queued' || this.state === 'running';
  }

  /** An event of its run. */
  apply(name, event) {
    this.isLive = true;
    if (this.state === 'queued') this.state = 'running';
    if (name === 'restart') this.parts = [];
    else if (name === 'gap') this.hasGap = true;
    else if (name === 'reasoning') this.#append('thought', event.delta);
    else if (name === 'steered') this.#steered(event.messages);
    else if (name === 'tool') this.#tool(event);
    else if (name === 'data') this.#data(event);
    else if (event.state === 'delta') this.#append('text', event.delta);
    else this.#end(event);
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
    const tools = this.hasGap ? [] : this.parts.filter(({ type }) => type === 'tool');
    this.hasGap = false;
    this.isSteered = false;
    this.parts = [];
    for (const message of messages.slice(own.length)) this.#readOne(message);
    this.parts = this.parts.map((part) => (part.type === 'tool' && tools.shift()) || part);
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
      if (part.type === 'tool-call') this.#addTool(part, 'unknown');
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
      const tool = this.#addTool(event, 'asks');
      tool.approvalId = approvalId;
      return;
    }
    const open = this.#toolOf(callId, ['asks', 'running']);
    if (phase === 'start') {
      if (open?.status === 'asks') Object.assign(open, { status: 'running', approvalId: undefined });
      else this.#addTool(event, 'running');
    } else if (open !== undefined) {
      Object.assign(open, { status, approvalId: undefined });
      if (open.output === '') open.output = asText(output);
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
    for (const part of this.parts) {
      if (part.type !== 'tool' || !['asks', 'running'].includes(part.status)) continue;
      part.status = part.status === 'asks' ? 'not-started' : 'cut';
      part.approvalId = undefined;
    }
  }

  #append(type, text) {
    const last = this.parts.at(-1);
    if (last?.type === type) last.text += text;
    else this.#add(type, text);
  }

  #add(type, text) {
    this.parts.push({ type, text });
  }

  #addTool({ name, callId, input }, status) {
    const tool = { type: 'tool', name, callId, input, status, output: '', pid: undefined, approvalId: undefined };
    this.parts.push(tool);
    return tool;
  }

  /** Models repeat their ids: the newest is meant. */
  #toolOf(callId, statuses) {
    return this.parts.findLast(
      (part) => part.type === 'tool' && part.callId === callId && (statuses?.includes(part.status) ?? true),
    );
  }
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
