import { el, leaveFocus, setText } from './dom.js';
import { short } from './words.js';

/** A tool that the agent uses: what it is given, what it has printed, and the question whether it may. */
export class ToolView {
  #actions;
  #state = el('span', { class: 'tool-state' });
  #title = el('code', { class: 'tool-title' });
  #output = el('pre', { class: 'tool-output', role: 'group', tabindex: '0', 'aria-label': 'Output' });
  #details = el('details', { class: 'tool' }, el('summary', {}, this.#title, this.#state), this.#output);
  #question = el('div', { class: 'question' });
  #asked;

  constructor(actions) {
    this.#actions = actions;
    this.element = el('div', { class: 'tool-box' }, this.#details, this.#question);
  }

  update({ name, input, status, output, pid, approvalId }) {
    setText(this.#title, short(`${name} ${textOf(input)}`, 100));
    setText(this.#state, status === 'running' && pid !== undefined ? `running, process ${pid}` : STATES[status]);
    this.#details.dataset.is = status;
    const isOpen = status === 'running' || status === 'asks';
    setText(this.#output, output === '' ? (isOpen ? '(nothing yet)' : '(nothing)') : output);
    // Once, when there is something to see: afterwards it is the reader's to open and close.
    if (status === 'running' && output !== '' && this.#asked !== 'opened') {
      this.#details.open = true;
      this.#asked = 'opened';
    }
    this.#ask(name, input, approvalId);
  }

  #ask(name, input, approvalId) {
    if (approvalId === undefined) {
      leaveFocus(this.#question);
      this.#question.replaceChildren();
      return;
    }
    if (this.#question.childElementCount > 0) return;
    const answer = (approved) => () => this.#actions.answer(approvalId, approved);
    this.#question.append(
      el('p', {}, 'The agent asks whether it may run this:'),
      el('pre', {}, `${name} ${textOf(input)}`),
      el('button', { type: 'button', class: 'primary', onclick: answer(true) }, 'Allow'),
      el('button', { type: 'button', onclick: answer(false) }, 'Do not allow'),
    );
  }
}

/** The one argument, or all of them as JSON. */
function textOf(input) {
  const values = Object.values(input ?? {});
  if (values.length === 0) return '';
  return values.length === 1 && typeof values[0] !== 'object' ? String(values[0]) : JSON.stringify(input);
}

const STATES = {
  asks: 'asks you',
  running: 'running',
  ok: 'done',
  error: 'failed',
  cut: 'stopped while it ran',
  unknown: 'stopped while it ran',
  'not-started': 'not started',
};
