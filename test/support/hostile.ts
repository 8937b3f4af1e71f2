/** Objects that break whoever touches them carelessly. Each is made anew: some can be used once. */
export const HOSTILE_THENABLES: readonly [string, () => unknown][] = [
  [
    'a thenable whose `then` throws',
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: it is what the test is about
      then() {
        throw new Error('then threw');
      },
    }),
  ],
  [
    'a thenable whose `then` cannot be read',
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: it is what the test is about
      get then() {
        throw new Error('then cannot be read');
      },
    }),
  ],
  ['a revoked Proxy', revokedProxy],
  [
    'a promise whose `constructor` cannot be read',
    () =>
      Object.defineProperty(Promise.resolve(), 'constructor', {
        get() {
          throw new Error('constructor cannot be read');
        },
      }),
  ],
  [
    'a promise with a `then` of its own that throws',
    () =>
      Object.defineProperty(Promise.resolve(), 'then', {
        value() {
          throw new Error('then threw');
        },
      }),
  ],
];

export function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** A thenable that calls back as the test says. */
export function thenable(then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void): unknown {
  return { then };
}

/** An error that cannot be read. */
export const HOSTILE_ERRORS: readonly [string, () => object][] = [
  [
    'an error whose `name` cannot be read',
    () =>
      Object.defineProperty(new Error('mine'), 'name', {
        get() {
          throw new Error('name cannot be read');
        },
      }),
  ],
  [
    'an error whose `constructor` cannot be read',
    () =>
      Object.defineProperty(new Error('mine'), 'constructor', {
        get() {
          throw new Error('constructor cannot be read');
        },
      }),
  ],
  ['a revoked Proxy', revokedProxy],
];
