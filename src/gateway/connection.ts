import type { Principal } from '../index.js';
import { type Caller, callerFrom } from '../transport/index.js';
import { Bell } from './bell.js';
import type { GatewayErrorCode } from './codes.js';
import type { Call, GatewayContext } from './context.js';
import { answer, bytesOf, type Request, readFrame, refusal } from './frames.js';
import { errorFor, GatewayError } from './gateway-error.js';
import type { Method } from './methods/method.js';
import { type GatewaySocket, Outlet } from './outlet.js';
import { overtaken } from './overtaking.js';
import { Subscriptions } from './subscriptions.js';

/** Says whose connections are to be closed. */
type Unwanted = (principal: Principal) => boolean;

/** Where a connection is in its life. `connecting`: who it is is being found out, and what it asks meanwhile waits. */
type Phase =
  | { readonly kind: 'new' }
  | { readonly kind: 'connecting'; readonly waiting: Request[]; readonly unwanted: Unwanted[] }
  | { readonly kind: 'open'; readonly caller: Caller; readonly leave: () => void }
  | { readonly kind: 'closed' };

/** A client's connection. */
export class Connection {
  readonly id: string = crypto.randomUUID();
  readonly outlet: Outlet;
  readonly #context: GatewayContext;
  readonly #headers: Headers;
  readonly #gone = new AbortController();
  /** Requests that are being answered, by id. */
  readonly #asked = new Set<string>();
  #phase: Phase = { kind: 'new' };
  #subscriptions: Subscriptions | undefined;
  readonly #bell: Bell;
  #bad = 0;
  #timer: unknown;

  constructor(context: GatewayContext, socket: GatewaySocket, headers: Headers) {
    this.#context = context;
    this.#headers = headers;
    this.outlet = new Outlet(context, socket, {
      failed: () => this.close(1011, 'internal_error'),
      stalled: () => this.close(1013, 'slow_consumer'),
    });
    this.#bell = new Bell(this.outlet);
    this.#timer = context.control.clock.setTimeout(
      () => this.close(1008, 'connect_timeout'),
      context.limits.connectTimeoutMs,
    );
  }

  get caller(): Caller | undefined {
    return this.#phase.kind === 'open' ? this.#phase.caller : undefined;
  }

  /** Who it is, as one string. */
  group = '';

  get subscriptions(): Subscriptions {
    return this.#subscriptions as Subscriptions;
  }

  /** What the client has sent. It never throws. */
  receive(data: unknown): void {
    if (this.#phase.kind === 'closed') return;
    if (typeof data !== 'string') {
      this.#refuse(null, 'binary_frame', 'A frame must be text.');
      return;
    }
    const { frameBytes, jsonDepth } = this.#context.limits;
    if (bytesOf(data, frameBytes) > frameBytes) {
      this.outlet.send(refusal(null, 'frame_too_large', `A frame may have ${frameBytes} bytes.`));
      this.close(1009, 'frame_too_large');
      return;
    }
    const read = readFrame(data, jsonDepth);
    if ('request' in read) this.#request(read.request);
    else this.#refuse(read.id, read.code, read.message);
  }

  /** Which runs of a session are there has changed. `payload` says which session. */
  changed(payload: string): void {
    this.#bell.ring(payload);
  }

  /** Its login may be revoked while it is found out whose it is: what was found is out of date then. */
  disconnect(which: Unwanted): void {
    const phase = this.#phase;
    if (phase.kind === 'connecting') phase.unwanted.push(which);
    if (phase.kind === 'open' && which(phase.caller.principal)) this.close(1008, 'unauthenticated');
  }

  close(code: number, reason: GatewayErrorCode | ''): void {
    this.outlet.close(code, reason);
    this.closed();
  }

  /** The transport says that it is gone. Runs go on: what becomes of them is the runner's to decide. */
  closed(): void {
    const phase = this.#phase;
    if (phase.kind === 'closed') return;
    this.#phase = { kind: 'closed' };
    this.#context.control.clock.clearTimeout(this.#timer);
    this.outlet.closed();
    this.#subscriptions?.leave();
    this.#context.hub.closed(this);
    if (phase.kind === 'open') phase.leave();
    this.#gone.abort();
  }

  #request(request: Request): void {
    const phase = this.#phase;
    const problem = this.#problemOf(request);
    if (problem !== undefined) this.#refuse(request.id, ...problem);
    else if (phase.kind === 'open') this.#answer(phase.caller, request);
    else if (phase.kind === 'new') void this.#connect(request);
    else if (phase.kind === 'connecting') {
      this.#asked.add(request.id);
      phase.waiting.push(request);
    }
  }

  #problemOf({ id, method }: Request): readonly [GatewayErrorCode, string] | undefined {
    const { kind } = this.#phase;
    if (this.#asked.has(id)) return ['duplicate_request_id', 'A request of this id is being answered: use a new one.'];
    if (kind === 'new' && method !== 'connect') return ['not_connected', 'Send connect first.'];
    if (kind !== 'new' && method === 'connect') return ['already_connected', 'The connection has had its connect.'];
    if (method !== 'connect' && !this.#context.methods.has(method))
      return ['unknown_method', 'There is no such method.'];
    if (kind === 'connecting' && this.#asked.size > this.#context.limits.requestsPerPrincipal) {
      return ['too_many_requests', 'Wait for the answer to connect.'];
    }
    return undefined;
  }

  async #connect({ id, params }: Request): Promise<void> {
    const context = this.#context;
    const waiting: Request[] = [];
    const unwanted: Unwanted[] = [];
    this.#phase = { kind: 'connecting', waiting, unwanted };
    this.#asked.add(id);
    let caller: Caller | undefined;
    try {
      const credentials = { headers: this.#headers, auth: params.auth, connectionId: this.id };
      const found = await context.options.authenticate(credentials);
      if (found !== undefined && found !== null) caller = callerFrom(context.control, found);
      const principal = caller?.principal;
      if (principal !== undefined && unwanted.some((which) => which(principal))) caller = undefined;
    } catch (error) {
      // Only who is refused must not come again: what is wrong with the server may be over by then.
      const isRefused = errorFor(error) !== undefined;
      this.#fail(id, error);
      this.close(isRefused ? 1008 : 1011, isRefused ? 'unauthenticated' : 'internal_error');
      return;
    }
    // It was closed while that was found out.
    if (this.#isClosed()) return;
    if (caller === undefined) {
      this.#fail(id, new GatewayError('unauthenticated', 'Say who you are.'));
      this.close(1008, 'unauthenticated');
      return;
    }
    const leave = context.places.connections.take(caller.principal);
    if (leave === undefined) {
      this.#fail(id, new GatewayError('too_many_connections', 'You have as many connections as you may have.'));
      this.close(1013, 'too_many_connections');
      return;
    }
    this.#open(id, caller, leave, waiting);
  }

  #open(id: string, caller: Caller, leave: () => void, waiting: readonly Request[]): void {
    const { control, hub, methods, stopWords } = this.#context;
    control.clock.clearTimeout(this.#timer);
    this.#phase = { kind: 'open', caller, leave };
    this.group = JSON.stringify([caller.isAdmin, caller.principal]);
    this.#subscriptions = new Subscriptions(this.#context, this, caller);
    hub.opened(this);
    this.#asked.delete(id);
    const { principal, isAdmin: admin } = caller;
    const names = ['connect', ...methods.keys()];
    this.outlet.send(answer(id, { protocol: 1, connectionId: this.id, principal, admin, methods: names, stopWords }));
    for (const request of waiting) this.#asked.delete(request.id);
    const { first, rest, ended } = overtaken(this.#context, caller, waiting);
    for (const request of ended) this.#fail(request.id, new GatewayError('aborted', OVERTAKEN));
    for (const { request, hasEnded } of first) this.#answer(caller, request, hasEnded);
    for (const request of rest) this.#answer(caller, request);
  }

  #isClosed(): boolean {
    return this.#phase.kind === 'closed';
  }

  /** Everything up to the method's first wait is done in the tick of the call. */
  #answer(caller: Caller, request: Request, hasEnded = false): void {
    if (this.#isClosed()) return;
    const { id, method: name, params } = request;
    const context = this.#context;
    const method = context.methods.get(name) as Method;
    const { stops, requests } = context.places;
    const isUrgent = method.isUrgent || method.overtakes?.(params) !== undefined;
    const giveBack = (isUrgent ? stops : requests).take(caller.principal);
    if (giveBack === undefined) {
      this.#refuse(id, 'too_many_requests', 'Wait for the answers to what you have asked.');
      return;
    }
    this.#asked.add(id);
    const later: (() => void)[] = [];
    const call: Call = {
      context,
      connection: this,
      caller,
      signal: this.#gone.signal,
      hasEnded,
      afterwards: (act) => void later.push(act),
    };
    void this.#settle(id, () => method.answer(call, params)).then(async () => {
      for (const act of later) act();
      // Answers that nobody reads are requests that are not answered yet.
      await this.outlet.whenFree();
      giveBack();
    });
  }

  /** It never rejects. */
  async #settle(id: string, act: () => unknown): Promise<void> {
    try {
      const frame = answer(id, (await act()) ?? {});
      this.#asked.delete(id);
      this.outlet.send(frame);
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #fail(id: string, error: unknown): void {
    this.#asked.delete(id);
    const known = errorFor(error);
    // What only the server can mend is told to the server, and nothing of it to the client.
    if (known === undefined) this.#context.control.onError(error);
    const { code, message } = known ?? { code: 'internal_error', message: 'The server has failed.' };
    this.outlet.send(refusal(id, code, message));
  }

  /** A frame that is no request, or none that is taken. */
  #refuse(id: string | null, code: GatewayErrorCode, message: string): void {
    this.outlet.send(refusal(id, code, message));
    // A client in a hurry sends good frames. One that does not read what it is told about them does not get more of it.
    if (code === 'too_many_requests' && !this.outlet.isFull) return;
    this.#bad += 1;
    if (this.#bad > this.#context.limits.badFrames) this.close(1008, 'too_many_bad_frames');
  }
}

const OVERTAKEN = 'A stop that came later has ended this: nothing was started.';
