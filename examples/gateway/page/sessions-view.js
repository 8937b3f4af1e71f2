import { el, setChildren, setText } from './dom.js';

/** The conversations at the side, each with its state. */
export class SessionsView {
  #list;
  #items = new Map();

  constructor(list) {
    this.#list = list;
  }

  /** @param sessions `{ key, owner, title, runs }`, in their order */
  show(sessions, current) {
    const items = sessions.map((session) => this.#item(session, addressOf(session) === current));
    setChildren(this.#list, items);
  }

  #item(session, isCurrent) {
    const address = addressOf(session);
    const known = this.#items.get(address) ?? itemElement(session);
    this.#items.set(address, known);
    const { element, link, title, state } = known;
    const { is, text } = stateOf(session.runs, session.asks);
    setText(title, session.title);
    setText(state, text);
    element.dataset.is = is;
    if (isCurrent) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
    return element;
  }
}

function itemElement(session) {
  const title = el('span', { class: 'session-title' });
  const state = el('span', { class: 'session-state' });
  const owner = session.owner === undefined ? undefined : el('span', { class: 'session-owner' }, `of ${session.owner}`);
  const link = el('a', { href: `#${addressOf(session)}` }, title, owner, state);
  return { element: el('li', {}, link), link, title, state };
}

/** What is behind the `#` of the page. */
export function addressOf({ key, owner }) {
  const parts = owner === undefined ? [key] : [key, owner];
  return parts.map(encodeURIComponent).join('/');
}

export function placeOf(address) {
  try {
    const [key, owner] = address.split('/').map(decodeURIComponent);
    return key === '' ? undefined : { key, owner };
  } catch {
    return undefined;
  }
}

/** The state of a conversation in words, of the statuses of its runs. @param asks a question waits for a person */
export function stateOf(runs, asks = false) {
  const of = (status) => runs.filter((run) => run.status === status).length;
  const [running, queued, stopping] = [of('running'), of('queued'), of('stopping')];
  const waiting = queued === 0 ? '' : `${queued} waiting`;
  if (asks) return { is: 'queued', text: 'asks you' };
  if (running > 0) return { is: 'running', text: ['answering', waiting].filter(Boolean).join(', ') };
  if (queued > 0) return { is: 'queued', text: waiting };
  if (stopping > 0) return { is: 'left', text: 'stopped, something still runs' };
  const last = runs.at(-1)?.status;
  return { is: last ?? 'idle', text: LAST[last] ?? '' };
}

const LAST = { completed: 'answered', aborted: 'stopped', error: 'failed' };
