import { type Backend, memory } from 'runfence';

type Method = 'claim' | 'stop' | 'end' | 'check' | 'lock' | 'unlock' | 'holder' | 'read' | 'forget' | 'close';
const METHODS: readonly Method[] = [
  'claim',
  'stop',
  'end',
  'check',
  'lock',
  'unlock',
  'holder',
  'read',
  'forget',
  'close',
];

interface Held {
  readonly method: Method;
  readonly go: () => void;
}

/**
 * A backend that answers with promises, over one in memory. A method that is held neither acts nor
 * answers until it is let go; one that is held after it acted has taken effect unanswered.
 */
export class AsyncBackend {
  readonly calls: Method[] = [];
  readonly #held: Held[] = [];
  readonly #holding = new Map<Method, 'before' | 'after'>();
  readonly #failing = new Map<Method, unknown[]>();

  /** The backend, over one that several of these may share. */
  readonly backend: Backend;

  constructor(under: Backend = memory(), scope: Backend['scope'] = under.scope) {
    const methods = Object.fromEntries(
      METHODS.map((method) => [
        method,
        async (...args: unknown[]) => {
          this.calls.push(method);
          const failures = this.#failing.get(method);
          if (failures !== undefined && failures.length > 0) throw failures.shift();
          const act = (): unknown => (under[method] as (...a: unknown[]) => unknown).apply(under, args);
          const when = this.#holding.get(method);
          if (when === undefined) {
            await Promise.resolve();
            return act();
          }
          const early = when === 'after' ? { value: act() } : undefined;
          await new Promise<void>((go) => this.#held.push({ method, go }));
          return early === undefined ? act() : early.value;
        },
      ]),
    );
    this.backend = {
      ...(methods as unknown as Omit<Backend, 'scope' | 'synchronous' | 'subscribe'>),
      scope,
      synchronous: false,
      subscribe: (nodeId, notices) => under.subscribe(nodeId, notices),
    };
  }

  /** From now on calls of this method wait for `letGo`. `after`: they take effect at once and answer late. */
  hold(method: Method, when: 'before' | 'after' = 'before'): void {
    this.#holding.set(method, when);
  }

  /** Lets the held calls of the method go on, and later ones through. */
  letGo(method: Method): void {
    this.#holding.delete(method);
    for (const held of this.#held.filter((one) => one.method === method)) {
      this.#held.splice(this.#held.indexOf(held), 1);
      held.go();
    }
  }

  /** The next call of the method rejects. */
  failNext(method: Method, error: unknown = new Error('connection refused')): void {
    this.#failing.set(method, [...(this.#failing.get(method) ?? []), error]);
  }

  get heldCalls(): number {
    return this.#held.length;
  }
}
