import { el, setChildren, setText } from './dom.js';
import { headline } from './receipt.js';
import { stopWords } from './words.js';

/** Left of the stop there is room for what came before it. */
const STOP_AT = 0.12;
const TICKS = [
  [1, '1 ms'],
  [10, '10 ms'],
  [100, '100 ms'],
  [1_000, '1 s'],
  [10_000, '10 s'],
  [100_000, '100 s'],
];

/** The picture of a stop. It is text for those who do not see it: each row says in words what its bar shows. */
export class ReceiptView {
  #headline = el('span', { class: 'receipt-headline' });
  #why = el('span', { class: 'receipt-why' });
  #ticks = el('div', { class: 'ticks', 'aria-hidden': 'true' });
  #rows = el('ol', { class: 'timeline' });
  #byKey = new Map();
  /** Opened by the page, which may close it again; what the reader opens stays open. */
  #isOpenedByPage;

  constructor(reason, isOpen) {
    this.#isOpenedByPage = isOpen;
    setText(this.#why, stopWords(reason));
    setText(this.#headline, 'Looking at what has ended…');
    this.element = el(
      'details',
      { class: 'receipt', open: isOpen },
      el('summary', {}, this.#why, this.#headline),
      this.#ticks,
      this.#rows,
    );
  }

  /** Another stop is of more interest now, unless something of this one still runs. */
  fold() {
    if (this.#isOpenedByPage && this.element.dataset.is === 'quiet') this.element.open = false;
    this.#isOpenedByPage = false;
  }

  /** There is nothing to draw. */
  say(text) {
    setText(this.#headline, text);
    this.element.classList.add('receipt-empty');
  }

  show(drawn) {
    setText(this.#headline, headline(drawn));
    this.element.dataset.is = drawn.isQuiet ? 'quiet' : drawn.left.length > 0 ? 'left' : 'pending';
    if (!drawn.isQuiet && drawn.left.length > 0) this.element.open = true;
    const ends = drawn.rows.map(({ to = 0 }) => to);
    const place = scale(Math.max(1, ...ends), Math.min(0, ...drawn.rows.map(({ from = 0 }) => from)));
    // Those that fit beside the stop and within the picture.
    const ticks = TICKS.map(([ms, text]) => [place(ms), text])
      .filter(([at]) => at > STOP_AT + 0.15 && at < 0.94)
      .map(([at, text]) => tick(at, text));
    this.#ticks.replaceChildren(tick(STOP_AT, 'stop'), ...ticks);
    setChildren(
      this.#rows,
      drawn.rows.map((row) => this.#row(row, place)),
    );
  }

  #row(row, place) {
    const key = `${row.term} ${row.label}`;
    const parts = this.#byKey.get(key) ?? rowElement(row);
    this.#byKey.set(key, parts);
    const { element, text, bar } = parts;
    element.dataset.is = row.is;
    setText(text, row.text);
    bar.hidden = row.to === undefined;
    if (row.to !== undefined) {
      const from = place(row.from ?? 0);
      bar.style.setProperty('--from', String(from));
      bar.style.setProperty('--to', String(Math.max(from, place(row.to))));
    }
    return element;
  }
}

function rowElement({ label, term }) {
  const text = el('span', { class: 'row-text' });
  const bar = el('span', { class: 'row-bar' });
  const name = el('span', { class: 'row-label' }, label);
  if (!label.includes(term.replace(/^pid /, ''))) name.append(' ', el('small', {}, term));
  return {
    element: el('li', {}, name, el('span', { class: 'row-track', 'aria-hidden': 'true' }, bar), text),
    text,
    bar,
  };
}

function tick(at, text) {
  const element = el('span', {}, text);
  element.style.setProperty('--at', String(at));
  return element;
}

/** Stops take from a fraction of a ms to minutes: each power of ten has the same width. */
function scale(longestMs, earliestMs) {
  const width = Math.log10(1 + longestMs) || 1;
  return (ms) => {
    if (ms >= 0) return STOP_AT + (1 - STOP_AT) * Math.min(1, Math.log10(1 + ms) / width);
    return STOP_AT * 0.85 * (1 - Math.log10(1 - ms) / Math.max(Math.log10(1 - earliestMs), 3));
  };
}
