import { App } from './app.js';
import { createGatewayClient } from './client.js';
import { Composer } from './composer.js';
import { byId, el, setChildren, setText } from './dom.js';
import { announcer, follower, menuOf } from './frame.js';
import { Receipts } from './receipts.js';
import { addressOf, placeOf, SessionsView, stateOf } from './sessions-view.js';
import { keepToken, readToken, Store } from './store.js';
import { saidElement, TurnView } from './turn-view.js';
import { short } from './words.js';

/** What a newcomer may try. */
const SUGGESTIONS = [
  ['Tell me a story', 'Tell me about canals', 'Press Stop, or Esc, in the middle of it.'],
  ['Start processes', 'Start a tree of processes', 'One of them ignores a polite stop. Stop it all the same.'],
  ['Ignore a stop', 'stubborn 20', 'A tool that never looks up. See what is still running after a stop.'],
  ['Ask me first', 'run rm -f notes.txt', 'The agent asks before it removes something.'],
];

connect(readToken());

/** Connects, and shows the page, or asks for a token. @param shown called when the page is there */
function connect(token, shown = () => {}) {
  const { protocol, host } = location;
  const url = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/ws`;
  const client = createGatewayClient({ url, ...(token === undefined ? {} : { auth: { token } }) });
  client
    .request('me')
    .then((me) => {
      keepToken(token);
      start(client, me);
      shown();
    })
    .catch(() => askForToken(token));
}

function askForToken(refused) {
  keepToken(undefined);
  const form = byId('login');
  const field = byId('token');
  const page = byId('login-page');
  page.hidden = false;
  setText(byId('login-error'), refused === undefined ? '' : 'The server does not know this token.');
  field.value = '';
  field.focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    page.hidden = true;
    connect(field.value.trim(), () => byId('message').focus());
  };
}

function start(client, me) {
  const store = new Store(me.userId);
  const polite = announcer(byId('polite'));
  const urgent = announcer(byId('urgent'));
  const app = new App(client, store, me, draw);
  const receipts = new Receipts(client, polite);
  const sessions = new SessionsView(byId('sessions'));
  const views = new WeakMap();
  /** How each turn was when it was drawn last: what has changed is worth a word. */
  const drawn = new WeakMap();
  const composer = new Composer({
    async send(text, whenBusy) {
      scroll.follow();
      const sent = app.send(text, whenBusy);
      // A new conversation has its address from its first message on: a page that is loaded again in this moment finds it.
      history.replaceState(undefined, '', `#${addressOf(app.current)}`);
      await sent;
    },
    async stop() {
      if (!(await app.stop())) polite('Nothing was running any more.');
    },
  });
  const actions = {
    answer: (approvalId, approved) =>
      app.answer(approvalId, approved).catch((error) => composer.problem(error.message)),
    drop: (runId) => app.drop(runId).catch((error) => composer.problem(error.message)),
  };
  const scroll = follower(byId('conversation'));
  // It scrolls, so that it must be reached without a mouse.
  byId('conversation').tabIndex = 0;

  byId('app').hidden = false;
  setText(byId('me'), me.admin ? `Signed in as ${me.userId}, who may stop everybody` : `Signed in as ${me.userId}`);
  showSuggestions(composer);
  const menu = menuOf();
  byId('new').addEventListener('click', () => {
    location.hash = '';
    byId('message').focus();
  });
  const openPlace = () => {
    menu.close();
    composer.problem('');
    app.open(placeOf(location.hash.slice(1)));
    scroll.follow();
  };
  addEventListener('hashchange', openPlace);
  openPlace();
  if (readToken() !== undefined)
    byId('me').append(' ', el('button', { type: 'button', class: 'link', onclick: signOut }, 'Sign out'));

  function draw() {
    const { current } = app;
    const all = app.sessions;
    sessions.show(all, current && addressOf(current));
    setText(byId('title'), app.title);
    document.title = `${app.title} · runfence`;
    drawConnection(client.state);
    drawTurns(current);
    const runs = all.find((session) => current !== undefined && addressOf(session) === addressOf(current))?.runs ?? [];
    const isBusy = current?.isBusy === true || runs.some(({ status }) => status === 'running' || status === 'queued');
    const state = stateOf(runs, current?.asks);
    setText(byId('state'), state.text);
    byId('state').dataset.is = state.is;
    composer.show(isBusy, current?.owner === undefined);
  }

  function drawTurns(current) {
    const turns = current?.all ?? [];
    const pending = current?.pending ?? [];
    byId('empty').hidden = current !== undefined;
    const lastStopped = turns.findLast(({ state, parts }) => state === 'aborted' && parts.length > 0);
    const elements = turns.map((turn) => {
      const view = views.get(turn) ?? new TurnView(turn, actions);
      views.set(turn, view);
      const before = drawn.get(turn);
      const isNew = before === 'running' || before === 'queued';
      view.show(turn, turn.state === 'aborted' ? receipts.of(turn, turn === lastStopped, isNew) : undefined);
      tell(turn, before);
      return view.element;
    });
    setChildren(byId('turns'), [...elements, ...pending.map(pendingElement)]);
  }

  /** What somebody hears who does not see it. */
  function tell(turn, before) {
    const asks = turn.parts.find(({ status }) => status === 'asks');
    if (asks !== undefined && drawn.get(asks) === undefined) {
      drawn.set(asks, 'asked');
      urgent(`The agent asks whether it may run ${asks.name}. The buttons are in the conversation.`);
    }
    drawn.set(turn, turn.state);
    if (before === undefined || before === turn.state) return;
    const answer = turn.parts
      .filter(({ type }) => type === 'text')
      .map(({ text }) => text)
      .join(' ');
    if (turn.state === 'running') polite('Answering.');
    if (turn.state === 'completed') polite(`Answer: ${short(answer, 1_000)}`);
    if (turn.state === 'error') polite(turn.message ?? 'The answer has failed.');
    if (turn.state === 'aborted' && turn.reason === 'user') polite('Stopped.');
  }

  function pendingElement(sent) {
    const known = views.get(sent) ?? el('li', { class: 'turn' }, saidElement(sent.text), el('p', { class: 'note' }));
    views.set(sent, known);
    setText(
      known.lastElementChild,
      sent.isSteering ? 'The answer under way reads this before its next step.' : 'Sending…',
    );
    return known;
  }
}

function drawConnection(state) {
  const notice = byId('connection');
  notice.hidden = state === 'open';
  setText(notice, notice.hidden ? '' : 'The connection is lost. Trying again… What is running goes on.');
}

function signOut() {
  keepToken(undefined);
  location.reload();
}

function showSuggestions(composer) {
  const items = SUGGESTIONS.map(([title, message, help]) =>
    el(
      'li',
      {},
      el(
        'button',
        { type: 'button', onclick: () => composer.write(message) },
        el('strong', {}, title),
        el('span', {}, help),
      ),
    ),
  );
  byId('empty').append(
    el('p', {}, 'Ask for something. You can stop it at any time, and see what the stop has ended.'),
    el('ul', { class: 'suggestions' }, ...items),
  );
}
