import {
  AbortRegistry,
  createRunControl,
  type RegisterOptions,
  type RunControlOptions,
  type RunOptions,
  RunRegistry,
  type RunRegistryOptions,
  SessionLock,
  type SessionLockOptions,
} from 'runfence';
import { memory } from 'runfence/backend';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { shown } from '../support/shown.js';
import { tracked } from '../support/tracked.js';

const invalid = expect.objectContaining({ code: 'INVALID_OPTIONS' });

/** What no duration that limits something may be. */
const BAD_LIMITS = [0, -1, Number.NaN, '5', null];
const limits = (name: string): object[] => BAD_LIMITS.map((bad) => ({ [name]: bad }));

function refused(what: string, bad: readonly unknown[], make: (options: never) => unknown): void {
  describe(what, () => {
    for (const options of bad) {
      test(`refuses ${shown(options)} (A14)`, () => {
        expect(() => make(options as never)).toThrow(invalid);
      });
    }
  });
}

const notObjects = [null, 5, 'text', []];
const badClocks = [{ clock: null }, { clock: {} }, { clock: { ...performance, now: () => 0 } }];
const badBackends = [{ backend: null }, { backend: {} }, { backend: 'memory' }, { backend: { ...memory() } }];

refused(
  'createRunControl',
  [
    ...notObjects,
    ...badClocks,
    ...badBackends,
    { backends: memory() },
    { authorize: true },
    { authorize: null },
    { ownerless: 'maybe' },
    { onError: 'log' },
    { retention: null },
    { retention: { ttl: 5 } },
    { retention: { ttlMs: -1 } },
    { retention: { ttlMs: Number.NaN } },
    { retention: { max: '10' } },
    { defaults: null },
    { defaults: { timeout: 5 } },
    { defaults: { kind: '' } },
    { defaults: { whenBusy: 'rollback' } },
    { defaults: { startWhen: 'now' } },
    ...[
      'timeoutMs',
      'queueTimeoutMs',
      'graceMs',
      'epilogueMs',
      'writeGraceMs',
      'lockTimeoutMs',
      'backendTimeoutMs',
    ].flatMap((name) => limits(name).map((defaults) => ({ defaults }))),
  ],
  (options: RunControlOptions) => createRunControl(options),
);

refused(
  'new RunRegistry',
  [...notObjects, ...badClocks, ...badBackends, { aborts: {} }, { aborts: null }, { authorize: () => true }],
  (options: RunRegistryOptions) => new RunRegistry(options),
);

refused(
  'new AbortRegistry',
  [...notObjects, ...badClocks, { authorize: 'all' }, { ownerless: 'yes' }, { onError: 1 }, { backend: memory() }],
  (options: object) => new AbortRegistry(options),
);

refused(
  'new SessionLock',
  [
    ...notObjects,
    ...badClocks,
    ...badBackends,
    { timeoutMs: 5 },
    ...limits('lockTimeoutMs'),
    ...limits('writeGraceMs'),
  ],
  (options: SessionLockOptions) => new SessionLock(options),
);

refused(
  'register',
  [
    ...notObjects,
    {},
    { id: ' ' },
    { id: 7 },
    { id: 'r', sessionKey: '' },
    { id: 'r', kind: '' },
    { id: 'r', owner: {} },
    { id: 'r', owner: { name: 'ada' } },
    { id: 'r', tags: 'x' },
    { id: 'r', tags: [''] },
    { id: 'r', session: 's' },
    ...limits('timeoutMs').map((bad) => ({ id: 'r', ...bad })),
  ],
  (options: RegisterOptions) => new AbortRegistry().register(options),
);

const badRuns: unknown[] = [
  undefined,
  ...notObjects,
  {},
  { sessionKey: '' },
  { sessionKey: ' \n' },
  { sessionKey: 5 },
  { sessionKey: 's'.repeat(1_025) },
  ...[
    { session: 's' },
    { runId: '' },
    { runId: 5 },
    { runId: 'r'.repeat(1_025) },
    { kind: ' ' },
    { kind: 'k'.repeat(257) },
    { owner: {} },
    { owner: undefined },
    { owner: null },
    { owner: 'ada' },
    { owner: { userId: undefined } },
    { owner: { userId: '' } },
    { owner: { userId: 7 } },
    { owner: { userId: 'ada', role: 'admin' } },
    { owner: Symbol('runfence.admin') },
    { tags: 'x' },
    { tags: [1] },
    { tags: Array.from({ length: 33 }, () => 'x') },
    { whenBusy: 'cancel' },
    { startWhen: 'idle' },
    { signal: {} },
    { signal: null },
    { fingerprint: '' },
    ...limits('timeoutMs'),
    ...limits('queueTimeoutMs'),
    ...limits('graceMs'),
  ].map((bad) => ({ sessionKey: 's', ...bad })),
];

describe('the options of a run', () => {
  for (const options of badRuns) {
    test(`are refused by every form before any effect: ${shown(options)} (A15, A16)`, async () => {
      const { control } = tracked();
      const current = await begin(control, { runId: 'current' });
      const bad = options as RunOptions;
      const rejected = { code: 'INVALID_OPTIONS' };
      await expect(control.run(bad, () => 1)).rejects.toMatchObject(rejected);
      await expect(control.start(bad, () => 1)).rejects.toMatchObject(rejected);
      await expect(control.stream(bad, async function* () {})).rejects.toMatchObject(rejected);
      await expect(control.runs.begin(bad)).rejects.toMatchObject(rejected);
      expect(() => control.runs.beginSync(bad)).toThrow(invalid);
      expect(current.isCurrent()).toBe(true);
      expect(control.runs.list()).toHaveLength(1);
      current.complete();
    });
  }

  for (const work of [undefined, null, {}, 'work']) {
    test(`need work that is a function, not ${shown(work)}`, async () => {
      const { control } = tracked();
      const parent = await begin(control);
      const forms = [
        control.run({ sessionKey: 't' }, work as never),
        control.start({ sessionKey: 't' }, work as never),
        control.stream({ sessionKey: 't' }, work as never),
        parent.child({}, work as never),
      ];
      for (const form of forms) await expect(form).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
      expect(control.runs.list()).toHaveLength(1);
      parent.complete();
    });
  }

  test('may be at their bounds', async () => {
    const { control } = tracked();
    const run = {
      sessionKey: 's'.repeat(1_024),
      runId: 'r'.repeat(1_024),
      kind: 'k'.repeat(256),
      tags: Array.from({ length: 32 }, () => 't'.repeat(256)),
      timeoutMs: Number.POSITIVE_INFINITY,
      owner: { userId: 'ada', deviceId: undefined } as never,
      signal: undefined,
    };
    expect(await control.run(run, () => 1)).toMatchObject({ status: 'completed' });
  });

  test('are read once: changing them later changes nothing', async () => {
    const { control } = tracked();
    const options = { sessionKey: 's', kind: 'chat' };
    const begun = begin(control, options);
    options.sessionKey = 't';
    options.kind = 'cron';
    const run = await begun;
    expect([run.sessionKey, run.kind]).toEqual(['s', 'chat']);
    run.complete();
  });
});

describe('the options of a child', () => {
  for (const options of [
    null,
    5,
    { owner: { userId: 'eve' } },
    { detached: 'yes' },
    { runId: '' },
    { sessionKey: '' },
  ]) {
    test(`are refused as a rejection: ${shown(options)}`, async () => {
      const { control } = tracked();
      const parent = await begin(control);
      await expect(parent.child(options as never, () => 1)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
      parent.complete();
    });
  }
});

test('a user whom nobody found is told apart from the host, and how', () => {
  const { control } = tracked();
  for (const nobody of [undefined, null, { userId: undefined }]) {
    expect(() => control.runs.list({ requester: nobody as never })).toThrow(/Is the request authenticated\?/);
  }
});
