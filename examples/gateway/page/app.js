import { Conversation } from './conversation.js';
import { oneAtATime, soon } from './dom.js';
import { addressOf } from './sessions-view.js';
import { short } from './words.js';

const EVENTS = ['chat', 'tool', 'data', 'reasoning', 'steered', 'gap', 'restart'];
/** So many conversations are followed at once; the oldest ones in which nothing happens are let go. */
const MOST_FOLLOWED = 20;
const MOST_TITLES = 20;

/** What the page knows, kept up to date by the gateway. It draws nothing. */
export class App {
  client;
  /** `{ userId, admin }`. */
  me;
  /** As `sessions.list` has them. */
  listed = [];
  /** The one that is shown; `undefined`: a new one, in which nothing was said yet. */
  current;
  #store;
  #followed = new Map();
  #titles = new Map();
  #changed;
  #loadList = oneAtATime(() => this.#readList());
  #loaders = new Map();

  /** @param changed called, soon, after each change */
  constructor(client, store, me, changed) {
    this.client = client;
    this.me = me;
    this.#store = store;
    this.#changed = soon(changed);
    for (const name of EVENTS) client.on(name, (event) => this.#event(name, event));
    client.on('sessions.changed', ({ key, owner }) => {
      void this.#loadList();
      const conversation = this.#followed.get(this.#address(key, owner));
      if (conversation !== undefined) void this.#load(conversation);
    });
    client.onState((state) => {
      if (state === 'open') this.reload();
      this.#changed();
    });
    store.onChange(() => this.#changed());
    this.reload();
  }

  /** Everything that is shown: after a reconnect, runs may have come and gone. */
  reload() {
    void this.#loadList();
    for (const conversation of this.#followed.values()) void this.#load(conversation);
  }

  /** Shows a conversation; without a place, a new one. */
  open(place) {
    this.current = place === undefined ? undefined : this.#follow(place);
    this.#changed();
  }

  async send(text, whenBusy) {
    this.current ??= this.#follow({ key: crypto.randomUUID(), owner: undefined });
    const conversation = this.current;
    const { key } = conversation;
    this.#store.put(key, short(text));
    const sent = { id: crypto.randomUUID(), text, runId: undefined, isSteering: false };
    conversation.pending.push(sent);
    this.#changed();
    try {
      const answer = await this.client.request('chat.send', {
        sessionKey: key,
        message: text,
        idempotencyKey: sent.id,
        ...(whenBusy === undefined ? {} : { whenBusy }),
      });
      sent.runId = answer.runId;
      sent.isSteering = answer.status === 'steered';
      // A stop word has stopped, and is no message.
      if (answer.runId === undefined) conversation.pending = conversation.pending.filter((one) => one !== sent);
      await this.#load(conversation);
    } catch (error) {
      conversation.pending = conversation.pending.filter((one) => one !== sent);
      throw error;
    } finally {
      this.#changed();
    }
  }

  /** Everything of the conversation that runs and waits. @returns whether there was something */
  async stop() {
    if (this.current === undefined) return false;
    return (await this.client.request('sessions.abort', this.current.params)).aborted;
  }

  /** One message that waits. */
  async drop(runId) {
    if (this.current !== undefined) await this.client.request('sessions.abort', { ...this.current.params, runId });
  }

  async answer(approvalId, approved) {
    await this.client.request('chat.answer', { approvalId, approved });
  }

  /** The list at the side, the newest first. */
  get sessions() {
    const listed = new Map(this.listed.map((session) => [addressOf(session), session]));
    const kept = this.#store.list().filter(({ key }) => !listed.has(addressOf({ key })));
    const titles = new Map(this.#store.list().map(({ key, title }) => [addressOf({ key }), title]));
    const all = [...listed.entries()].reverse().map(([address, session]) => ({
      ...session,
      asks: this.#followed.get(address)?.asks,
      title: titles.get(address) ?? this.#titles.get(address) ?? 'Conversation',
    }));
    const order = [...titles.keys()];
    // What this browser has not begun comes first if something has run in it, and last if it is only kept.
    const placeOf = (session) => {
      const place = order.indexOf(addressOf(session));
      return place < 0 && session.runs.length === 0 ? order.length : place;
    };
    all.sort((a, b) => placeOf(a) - placeOf(b));
    return [...all, ...kept.map(({ key, title }) => ({ key, title, runs: [], hasActiveRun: false }))];
  }

  get title() {
    if (this.current === undefined) return 'New conversation';
    const { key, owner } = this.current;
    const address = addressOf(this.current);
    const known = this.sessions.find((session) => addressOf(session) === address);
    const [first] = this.current.all.flatMap(({ said }) => said);
    return short(first ?? known?.title ?? key) + (owner === undefined ? '' : ` (of ${owner})`);
  }

  #follow(place) {
    const address = addressOf(place);
    const known = this.#followed.get(address);
    this.#followed.delete(address);
    const conversation = known ?? new Conversation(place.key, place.owner);
    this.#followed.set(address, conversation);
    if (known === undefined) {
      // Subscribed first: what is told from then on is in no gap between both.
      void this.client.request('sessions.subscribe', conversation.params).catch(() => {});
      void this.#load(conversation);
      this.#letGo();
    }
    return conversation;
  }

  #letGo() {
    for (const [address, conversation] of this.#followed) {
      if (this.#followed.size <= MOST_FOLLOWED) return;
      if (conversation.isBusy || !conversation.isLoaded || conversation === this.current) continue;
      this.#followed.delete(address);
      this.#loaders.delete(conversation);
      void this.client.request('sessions.unsubscribe', conversation.params).catch(() => {});
    }
  }

  #event(name, event) {
    const conversation = this.#followed.get(this.#address(event.sessionKey, event.owner));
    if (conversation === undefined) return;
    const isNew = !conversation.turns.has(event.runId);
    conversation.apply(name, event);
    if (isNew) void this.#load(conversation);
    this.#changed();
  }

  #load(conversation) {
    const load =
      this.#loaders.get(conversation) ??
      oneAtATime(async () => {
        try {
          conversation.read(await this.client.request('sessions.get', conversation.params));
        } catch (error) {
          if (error.code !== 'closed') conversation.problem = error.message;
        }
        this.#changed();
      });
    this.#loaders.set(conversation, load);
    return load();
  }

  async #readList() {
    const { sessions } = await this.client
      .request('sessions.list', { includeFinished: true })
      .catch(() => ({ sessions: this.listed }));
    this.listed = sessions.map(({ key, owner, ...rest }) => ({ ...rest, key, owner: this.#ownerOf(owner) }));
    this.#changed();
    await this.#readTitles();
  }

  /** Of conversations that began elsewhere: over HTTP, or in another browser. */
  async #readTitles() {
    const known = new Set(this.#store.list().map(({ key }) => addressOf({ key })));
    const unknown = this.listed.filter((session) => {
      const address = addressOf(session);
      return !known.has(address) && !this.#titles.has(address);
    });
    for (const session of unknown.slice(-MOST_TITLES)) {
      const { key, owner } = session;
      const read = await this.client
        .request('sessions.get', { key, ...(owner === undefined ? {} : { owner }) })
        .catch(() => undefined);
      const said = read?.messages.find(({ role }) => role === 'user')?.content;
      if (typeof said === 'string') this.#titles.set(addressOf(session), short(said));
      this.#changed();
    }
  }

  #address(key, owner) {
    return addressOf({ key, owner: this.#ownerOf(owner) });
  }

  /** Only an admin is told whose a session is. */
  #ownerOf(owner) {
    return owner === undefined || owner.userId === this.me.userId ? undefined : owner.userId;
  }
}
