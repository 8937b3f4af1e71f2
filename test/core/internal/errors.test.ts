import { readdirSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import {
  type AbortReason,
  type ErrorCode,
  isRunAbortedError,
  isRunfenceError,
  LockTimeoutError,
  RunAbortedError,
  RunfenceError,
} from 'runfence';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked, upstream } from '../../support/tracked.js';

const BRAND = Symbol.for('runfence.error');

/** What a second copy of the package would throw: the brand, and no class of this one. */
function copy(fields: object): object {
  return Object.assign(Object.create({ [BRAND]: true }), fields);
}

const MESSAGES: Readonly<Record<AbortReason, string>> = {
  user: 'The run was stopped.',
  superseded: 'The run was superseded by a newer one.',
  disconnect: 'The run was stopped: its client disconnected.',
  timeout: 'The run was stopped: its time was over.',
  parent: 'The run was stopped: its parent run ended.',
  upstream: 'The run was stopped: the signal that it was given was aborted.',
  shutdown: 'The run was stopped: the server is shutting down.',
  'heartbeat-lost': 'The run was stopped: its server lost contact with the backend.',
  'lock-lost': 'The run was stopped: it lost its lock.',
  policy: 'The run was stopped by a policy.',
};
const REASONS = Object.keys(MESSAGES) as AbortReason[];

describe('the reason of a signal', () => {
  for (const reason of REASONS) {
    test(`${reason}: a fixed message without ids, a name that SDKs know, and nothing else (I2)`, async () => {
      const { control } = tracked();
      const run = await begin(control, { runId: 'secret-id', sessionKey: 'secret-key', owner: { userId: 'secret' } });
      const { signal } = run;
      await control.abort({ runId: 'secret-id' }, { reason, requester: { userId: 'secret' } });
      const error: unknown = signal.reason;
      expect(error).toBeInstanceOf(RunAbortedError);
      expect(error).toMatchObject({
        name: reason === 'timeout' ? 'TimeoutError' : 'AbortError',
        message: MESSAGES[reason],
        code: 'RUN_ABORTED',
        reason,
      });
      expect(Object.keys(error as object).toSorted()).toEqual(['code', 'reason']);
      expect((error as Error).stack).not.toMatch(/secret|\.ts/);
      run.complete();
    });

    test(`${reason}: an error that a host makes itself is the same`, () => {
      const error = new RunAbortedError(reason);
      expect(error.name).toBe(reason === 'timeout' ? 'TimeoutError' : 'AbortError');
      expect(error.message).toBe(MESSAGES[reason]);
      expect(Object.hasOwn(error, 'name')).toBe(false);
    });
  }

  test('is one for what a stop cut in a session: changing it shows in no other session, and in no later run (I18)', async () => {
    const { control } = tracked();
    const parent = await begin(control);
    let child: AbortSignal | undefined;
    const outcome = parent.child({}, (run) => {
      child = run.signal;
    });
    const beside = await begin(control, { whenBusy: 'concurrent' });
    const foreign = await begin(control, { sessionKey: 'another' });
    await outcome;
    const [a, b, c] = [parent.signal, beside.signal, foreign.signal];
    await control.abort('all');
    const later = await begin(control);
    (a.reason as Error).message = 'changed by a host';
    expect(b.reason).toBe(a.reason);
    expect((c.reason as Error).message).toBe('The run was stopped.');
    await control.abort({ runId: later.id });
    expect((later.signal.reason as Error).message).toBe('The run was stopped.');
    expect(a.reason).toBe(parent.signal.reason);
    expect(child?.aborted).toBe(false);
    for (const run of [parent, beside, foreign, later]) run.complete();
  });

  for (const [given, reason] of [
    [new RunAbortedError('disconnect'), 'disconnect'],
    [copy({ code: 'RUN_ABORTED', reason: 'disconnect' }), 'disconnect'],
    [copy({ code: 'RUN_ABORTED', reason: 'a reason of tomorrow' }), 'upstream'],
    [copy({ code: 'RUN_ENDED', reason: 'disconnect' }), 'upstream'],
    [{ code: 'RUN_ABORTED', reason: 'disconnect' }, 'upstream'],
    [undefined, 'upstream'],
    ['disconnect', 'upstream'],
  ] as const) {
    test(`of an upstream that was aborted with ${JSON.stringify(given)} is ${reason}`, async () => {
      const { control } = tracked();
      const controller = upstream();
      const run = await begin(control, { signal: controller.signal });
      controller.abort(given);
      expect(run.reason).toBe(reason);
      expect(run.signal.reason).toMatchObject({ reason, message: MESSAGES[reason] });
      expect(run.signal.reason).not.toBe(given);
      run.complete();
    });
  }
});

describe('the guards', () => {
  const aborted = new RunAbortedError('user');
  const cases: readonly [string, unknown, boolean, boolean][] = [
    ['an error of ours', new RunfenceError('RUN_ENDED', 'x'), true, false],
    ['an aborted one', aborted, true, true],
    ['one of a second copy', copy({ code: 'RUN_ENDED' }), true, false],
    ['an aborted one of a second copy', copy({ code: 'RUN_ABORTED', reason: 'user' }), true, true],
    ['a look-alike without the brand', { code: 'RUN_ABORTED', name: 'AbortError', reason: 'user' }, false, false],
    ['a brand that is not true', { [BRAND]: 'yes', code: 'RUN_ABORTED' }, false, false],
    ['the platform’s abort', AbortSignal.abort().reason, false, false],
    ['an error around it', new Error('x', { cause: aborted }), false, false],
    ['null', null, false, false],
    ['text', 'RUN_ABORTED', false, false],
  ];
  test.each(cases)('tell %s', (_name, value, isOurs, isAborted) => {
    expect(isRunfenceError(value)).toBe(isOurs);
    expect(isRunAbortedError(value)).toBe(isAborted);
  });

  test('tell codes apart', () => {
    expect(isRunfenceError(aborted, 'RUN_ABORTED')).toBe(true);
    expect(isRunfenceError(aborted, 'RUN_ENDED')).toBe(false);
  });
});

test('names are on the prototypes, so that a copied or logged error has no extra field', () => {
  for (const error of [new RunfenceError('CLOSED', 'x'), new RunAbortedError('user')]) {
    expect(Object.keys(error)).not.toContain('name');
    expect(Object.getOwnPropertySymbols(error)).toEqual([]);
    expect(String(error)).toBe(`${error.name}: ${error.message}`);
  }
  expect(LockTimeoutError.prototype).toBeInstanceOf(RunfenceError);
});

describe('every code', () => {
  const src = new URL('../../../src/', import.meta.url);
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  const read = (path: string): string => readFileSync(new URL(path.replaceAll('\\', '/'), src), 'utf8');
  const union = /export type ErrorCode =([\s\S]*?);\n\n/.exec(read('core/internal/errors.ts'))?.[1] ?? '';
  const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map((match) => match[1] as ErrorCode);
  const thrown = files.map((path) => read(path).replace(union, '')).join('\n');

  test('is found', () => {
    expect(codes.length).toBeGreaterThan(10);
  });

  test.each(codes)('%s is documented in the union, and thrown somewhere', (code) => {
    expect(union).toMatch(new RegExp(`/\\*\\* .+ \\*/\\s*\\| '${code}'`));
    expect(thrown).toMatch(new RegExp(`(new RunfenceError|super)\\(\\s*'${code}'`));
  });
});

describe('the link to the error page', () => {
  test('is computed from the code, and costs nothing per error', () => {
    const error = new RunfenceError('LOCK_TIMEOUT', 'not free');
    expect(error.docsUrl).toMatch(/\/docs\/error-codes\.md#lock_timeout$/);
    expect(Object.keys(error)).toEqual(['code']);
    expect(new RunAbortedError('timeout').docsUrl).toMatch(/#run_aborted$/);
    expect(new LockTimeoutError('s', 1, undefined, false).docsUrl).toBe(error.docsUrl);
  });

  test('is the same for an error whose class is not ours, through the prototype of another copy', () => {
    const other = Object.create(RunfenceError.prototype, { code: { value: 'CLOSED' } }) as RunfenceError;
    expect(other.docsUrl).toMatch(/#closed$/);
  });

  test('is in no message and no stack', () => {
    const error = new RunfenceError('CLOSED', 'drained');
    expect(`${error.message} ${error.stack}`).not.toContain('http');
  });
});

describe('an error in a log', () => {
  test('as JSON has its name, message, code, fields and link, and neither stack nor cause', () => {
    const holder = { runId: 'r', nodeId: 'n', token: 1, since: 0, isEpilogue: false };
    const error = new LockTimeoutError('s', 5, holder, false);
    expect(JSON.parse(JSON.stringify({ error }))).toEqual({
      error: { name: 'RunfenceError', code: 'LOCK_TIMEOUT', message: error.message, holder, docsUrl: error.docsUrl },
    });
    const caused = new RunfenceError('BACKEND_UNAVAILABLE', 'no answer', { cause: new Error('secret') });
    expect(JSON.stringify(caused)).not.toContain('secret');
    expect(JSON.parse(JSON.stringify(new RunAbortedError('timeout')))).toMatchObject({
      name: 'TimeoutError',
      code: 'RUN_ABORTED',
      reason: 'timeout',
    });
  });

  test('as Node shows it has its code, its fields and its cause', () => {
    const shown = inspect(new RunfenceError('BACKEND_UNAVAILABLE', 'no answer', { cause: new Error('refused') }));
    expect(shown).toMatch(/^RunfenceError: no answer\n/);
    expect(shown).toContain("code: 'BACKEND_UNAVAILABLE'");
    expect(shown).toContain('Error: refused');
    expect(inspect(new RunAbortedError('user'))).toContain("reason: 'user'");
  });
});
