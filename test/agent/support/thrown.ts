/** What a tool may throw that is no error as one expects it, by what it is, with what the model is told of it. */
export const ODDLY_THROWN: readonly [what: string, thrown: unknown, told: string][] = [
  ['nothing', undefined, 'undefined'],
  ['a text', 'no such file', 'no such file'],
  ['an object without a prototype', Object.create(null), 'it threw something that cannot be shown'],
  ['a message that is no text', Object.assign(new Error(), { message: { code: 4 } }), '[object Object]'],
  [
    'a message that throws when it is read',
    Object.defineProperty(new Error(), 'message', {
      get: () => {
        throw new Error('not to be read');
      },
    }),
    'it threw something that cannot be shown',
  ],
];
