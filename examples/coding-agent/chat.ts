import type { RunControl } from 'runfence';
import type { AgentEvent, AgentRunner } from 'runfence/agent';
import { Paragraph } from './paragraph.js';
import { receiptLines } from './receipt.js';

export interface ChatOptions {
  readonly control: RunControl;
  readonly runner: AgentRunner;
  /** The conversation. */
  readonly sessionKey: string;
  /** Shows a line. */
  readonly show: (line: string) => void;
}

/** How long a stop that is forced waits for what it has just killed, in ms. */
const FORCED_MS = 200;

/** A conversation: what a line means, what a stop does, and what is shown of a turn. */
export class Chat {
  readonly #options: ChatOptions;
  /** Those that wait for a person's word, oldest first. */
  #questions: { readonly approvalId: string; readonly runId: string }[] = [];
  /** The turns that are followed until their end. */
  readonly #turns = new Set<Promise<void>>();
  /** Ends the wait of a stop that is under way. */
  #force: (() => void) | undefined;

  constructor(options: ChatOptions) {
    this.#options = options;
  }

  get isBusy(): boolean {
    return this.#options.control.runs.isActive(this.#options.sessionKey);
  }

  get isStopping(): boolean {
    return this.#force !== undefined;
  }

  /** Shows what was said before a restart. */
  async greet(): Promise<void> {
    const { messages } = await this.#options.runner.messages(this.#options.sessionKey);
    const said = messages.filter(({ role }) => role === 'user');
    if (said.length > 0)
      this.#options.show(`[${said.length} messages before; the last: ${String(said.at(-1)?.content)}]`);
  }

  /** A line that somebody has typed: an answer, a word to the turn under way, a takeover, or the next message. */
  async line(text: string): Promise<void> {
    const { runner, sessionKey, show } = this.#options;
    const answer = /^(y|yes|n|no)$/i.exec(text)?.[0].toLowerCase();
    const question = this.#questions[0];
    if (question !== undefined && answer !== undefined) {
      this.#questions.shift();
      const { status } = await runner.answer(question.approvalId, { approved: answer.startsWith('y') });
      if (status === 'stale') show('[that question is not open any more]');
      return;
    }
    if (this.isBusy && !text.startsWith('!')) {
      const steered = await runner.steer({ sessionKey }, text);
      if (steered.status !== 'stale') {
        show(`[steered: ${steered.status}]`);
        if (steered.status === 'enqueued' && steered.runId !== undefined) this.#follow(steered.runId);
        return;
      }
    }
    const sent = await runner.send({ sessionKey, messages: text.replace(/^!\s*/, '') });
    if ('events' in sent) this.#follow(sent.runId);
    else show(`[${sent.status}]`);
  }

  /** Stops the turn, and shows the receipt. Asked again, it waits no longer. */
  async stop(): Promise<void> {
    const { control, sessionKey, show } = this.#options;
    if (this.#force !== undefined) {
      void control.abort({ sessionKey }, { graceMs: 0 });
      this.#force();
      return;
    }
    const forced = new Promise<void>((resolve) => {
      this.#force = resolve;
    });
    const receipt = await control.abort({ sessionKey });
    show('[stopping; Ctrl-C again does not wait]');
    await Promise.race([receipt.whenQuiet(), forced]);
    const report = await receipt.whenQuiet({ timeoutMs: FORCED_MS });
    for (const line of receiptLines(report, await receipt.whenSaved({ timeoutMs: FORCED_MS }))) show(line);
    this.#force = undefined;
  }

  /** Settles when nothing is under way, or a question is open. */
  async whenWaiting(): Promise<void> {
    while (this.#turns.size > 0 && this.#questions.length === 0) {
      await Promise.race([...this.#turns, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
  }

  #follow(runId: string): void {
    const shown = this.#show(runId).finally(() => this.#turns.delete(shown));
    this.#turns.add(shown);
  }

  async #show(runId: string): Promise<void> {
    const { runner, show } = this.#options;
    const text = new Paragraph(show);
    for await (const item of runner.streams.subscribe(runId) ?? []) {
      if (item.type === 'event' && item.event.type === 'text') text.add(item.event.text);
      else text.end();
      if (item.type === 'event') this.#showEvent(runId, item.event);
      if (item.type === 'cut') {
        this.#questions = this.#questions.filter((question) => question.runId !== runId);
        show(`[stopped: ${item.reason}]`);
      }
      if (item.type === 'end' && item.status !== 'aborted') show(`[${item.status}]`);
    }
  }

  #showEvent(runId: string, event: AgentEvent): void {
    const { show } = this.#options;
    if (event.type === 'tool-start') show(`> ${event.name} ${JSON.stringify(event.input)}`);
    if (event.type === 'tool-end') show(`< ${event.name}: ${event.status}`);
    if (event.type === 'error') show(`[${event.message}]`);
    if (event.type === 'approval') {
      this.#questions.push({ approvalId: event.approvalId, runId });
      show(`? ${event.name} ${JSON.stringify(event.input)}  y or n`);
    }
  }
}
