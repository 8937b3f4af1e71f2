import { el, leaveFocus, setChildren, setText } from './dom.js';
import { ToolView } from './tool-view.js';

/** A turn of the conversation: what was said, the answer as it comes, and what became of it. */
export class TurnView {
  #said = el('div', { class: 'said-group' });
  #parts = el('div', { class: 'parts' });
  #note = el('p', { class: 'note' });
  #drop;
  #views = new Map();

  /** @param actions `answer(approvalId, approved)` and `drop(runId)`, for a message that waits */
  constructor(turn, actions) {
    this.actions = actions;
    this.#drop = el(
      'button',
      { type: 'button', class: 'drop', onclick: () => actions.drop(turn.runId) },
      'Remove from the line',
    );
    this.element = el('li', { class: 'turn' }, this.#said, this.#parts, this.#note, this.#drop);
  }

  show(turn, receipt) {
    const saidTexts = turn.said.filter((text) => text !== '');
    if (this.#said.childElementCount !== saidTexts.length) this.#said.replaceChildren(...saidTexts.map(saidElement));
    this.element.dataset.is = turn.state;
    setChildren(
      this.#parts,
      turn.parts.map((part) => this.#part(part)),
    );
    setText(this.#note, noteOf(turn));
    this.#note.hidden = this.#note.textContent === '';
    if (turn.state !== 'queued') leaveFocus(this.#drop);
    this.#drop.hidden = turn.state !== 'queued';
    if (receipt !== undefined && receipt.parentElement !== this.element) this.element.append(receipt);
  }

  #part(part) {
    const known = this.#views.get(part) ?? this.#make(part);
    this.#views.set(part, known);
    known.update(part);
    return known.element;
  }

  #make(part) {
    if (part.type === 'tool') return new ToolView(this.actions);
    if (part.type === 'said') return { element: saidElement(part.text), update() {} };
    const element = el('div', { class: part.type === 'thought' ? 'thought' : 'answer' });
    const text = document.createTextNode('');
    element.append(el('span', { class: 'hidden' }, part.type === 'thought' ? 'Thinking: ' : 'Answer: '), text);
    return {
      element,
      update: (now) => {
        if (text.data.length !== now.text.length) text.appendData(now.text.slice(text.data.length));
      },
    };
  }
}

/** What somebody has written. */
export function saidElement(text) {
  return el('div', { class: 'said' }, el('span', { class: 'hidden' }, 'You said: '), text);
}

function noteOf({ state, parts, message, hasGap }) {
  if (state === 'queued') return 'Waits in line.';
  if (state === 'error') return message ?? 'The answer has failed.';
  if (hasGap) return 'A part of this answer is missing here until it has ended.';
  const last = parts.at(-1);
  if (state === 'running' && last?.type !== 'text' && last?.status !== 'asks')
    return last?.type === 'tool' ? 'Working…' : 'Thinking…';
  return '';
}
