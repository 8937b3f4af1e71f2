import { byId, leaveFocus, setText } from './dom.js';

/** What each choice does, and what its button is called. */
const CHOICES = {
  interrupt: {
    button: 'Take over',
    help: 'The answer under way is stopped and kept as far as it came; what waits in line is dropped. Yours comes at once.',
  },
  enqueue: { button: 'Wait in line', help: 'Nothing is stopped. Your message is answered after this answer.' },
  steer: { button: 'Steer', help: 'Nothing is stopped. The answer under way reads your message before its next step.' },
};

/** Where a message is written, and what a new one does to an answer under way. */
export class Composer {
  #form = byId('composer');
  #message = byId('message');
  #busy = byId('busy');
  #help = byId('busy-help');
  #send = byId('send');
  #stop = byId('stop');
  #problem = byId('problem');
  #isBusy = false;
  #isStopping = false;

  /** @param actions `send(text, whenBusy)` and `stop()`, which say by their promises when they were answered */
  constructor(actions) {
    this.actions = actions;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#form.addEventListener('change', () => this.#showChoice());
    this.#message.addEventListener('input', () => this.#fit());
    this.#message.addEventListener('keydown', (event) => {
      // While a word is being composed, Enter is a part of it.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#stop.addEventListener('click', () => void this.stop());
    document.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.isComposing || event.defaultPrevented || !this.#isBusy) return;
      event.preventDefault();
      void this.stop();
    });
    this.#showChoice();
  }

  /** @param mayWrite false for the conversation of somebody else, which an admin may only stop */
  show(isBusy, mayWrite) {
    // What was chosen was for that answer. The next one begins with what is said.
    if (this.#isBusy && !isBusy) this.#form.elements.busy.value = 'interrupt';
    this.#isBusy = isBusy;
    this.#message.disabled = !mayWrite;
    if (!isBusy) for (const gone of [this.#busy, this.#stop]) leaveFocus(gone);
    this.#busy.hidden = !isBusy || !mayWrite;
    this.#stop.hidden = !isBusy;
    this.#send.disabled = !mayWrite;
    this.#message.placeholder = mayWrite ? 'Write a message' : 'You can stop this conversation, and not write in it.';
    this.#showChoice();
  }

  async stop() {
    if (this.#isStopping) return;
    // Not disabled meanwhile: that would take the focus from it.
    this.#isStopping = true;
    this.problem('');
    try {
      await this.actions.stop();
    } catch (error) {
      this.problem(`This could not be stopped: ${error.message}`);
    }
    this.#isStopping = false;
  }

  problem(text) {
    setText(this.#problem, text);
  }

  write(text) {
    this.#message.value = text;
    this.#fit();
    this.#message.focus();
  }

  get #choice() {
    return this.#form.elements.busy.value;
  }

  async #submit() {
    const text = this.#message.value.trim();
    if (text === '') return;
    this.problem('');
    this.#message.value = '';
    this.#fit();
    try {
      await this.actions.send(text, this.#isBusy ? this.#choice : undefined);
    } catch (error) {
      // Not lost: it is there again, unless something else has been written meanwhile.
      if (this.#message.value === '') this.write(text);
      this.problem(`This was not sent: ${error.message}`);
    }
  }

  #showChoice() {
    const { button, help } = CHOICES[this.#choice];
    setText(this.#send, this.#isBusy ? button : 'Send');
    setText(this.#help, help);
  }

  /** As high as its text, up to a limit of the style sheet. */
  #fit() {
    this.#message.style.height = 'auto';
    this.#message.style.height = `${this.#message.scrollHeight + 2}px`;
  }
}
