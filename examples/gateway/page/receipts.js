import { headline, receiptRows } from './receipt.js';
import { ReceiptView } from './receipt-view.js';

/** Between two looks at something that has not ended. */
const EARLY_MS = 250;
const LATER_MS = 2_000;
const EARLY_FOR_MS = 4_000;

/** The receipts of the stopped turns: each is asked for until all of its run has ended. */
export class Receipts {
  #client;
  #announce;
  #views = new Map();

  constructor(client, announce) {
    this.#client = client;
    this.#announce = announce;
  }

  /** The picture of this turn's stop. `isNew`: it was stopped while somebody watched. */
  of(turn, isOpen, isNew) {
    const known = this.#views.get(turn.runId);
    if (known !== undefined) return known.element;
    const view = new ReceiptView(turn.reason, isOpen);
    if (isOpen) for (const other of this.#views.values()) other.fold();
    this.#views.set(turn.runId, view);
    void this.#follow(turn.runId, view, isNew);
    return view.element;
  }

  async #follow(runId, view, isNew) {
    let waitMs = 0;
    let said = '';
    for (;;) {
      let receipt;
      let timeline;
      let startedAt;
      try {
        ({ receipt, startedAt } = await this.#client.request('runs.receipt', { runId, waitMs }));
        ({ timeline } = await this.#client.request('runs.timeline', { runId }));
      } catch (error) {
        if (error.code !== 'closed') view.say(MISSING[error.code] ?? error.message);
        return;
      }
      if (receipt === null) {
        view.say('');
        return;
      }
      const drawn = receiptRows(receipt, timeline, startedAt !== undefined);
      view.show(drawn);
      // The first look is in the middle of it: what is worth a word is what lasts.
      const words = drawn.isQuiet || waitMs > 0 ? headline(drawn) : '';
      const sort = `${drawn.isQuiet} ${drawn.left.map(({ label }) => label).join()}`;
      if (isNew && words !== '' && sort !== said) {
        said = sort;
        this.#announce(words);
      }
      if (receipt.quiet) return;
      waitMs = receipt.elapsedMs < EARLY_FOR_MS ? EARLY_MS : LATER_MS;
    }
  }
}

const MISSING = {
  not_found: 'What happened then is not remembered any more.',
};
