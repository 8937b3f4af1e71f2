import { AbortRegistry, createRunControl, type Run, RunRegistry, SessionLock } from 'runfence';
import { files } from 'runfence/files';
import { spawn } from 'runfence/process';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';

type Call = (options: Record<string, unknown>) => unknown;

const inRun =
  (use: (run: Run, options: never) => unknown): Call =>
  async (options) => {
    const run = await begin(tracked().control);
    try {
      return await use(run, options as never);
    } finally {
      run.complete();
    }
  };
const control = (): ReturnType<typeof tracked>['control'] => tracked().control;

/** Each call, how it is made with some options, and for each option what its error must begin with. */
const CALLS: Readonly<Record<string, { readonly call: Call; readonly options: Readonly<Record<string, string>> }>> = {
  createRunControl: {
    call: (options) => createRunControl(options),
    options: names('backend clock authorize ownerless retention defaults onError'),
  },
  'createRunControl retention': {
    call: (retention) => createRunControl({ retention }),
    options: names('ttlMs max', 'retention.'),
  },
  'createRunControl defaults': {
    call: (defaults) => createRunControl({ defaults } as never),
    options: names(
      'kind whenBusy startWhen timeoutMs queueTimeoutMs graceMs epilogueMs writeGraceMs lockTimeoutMs backendTimeoutMs',
      'defaults.',
    ),
  },
  'new RunRegistry': {
    call: (options) => new RunRegistry(options),
    options: names('backend aborts clock retention defaults onError'),
  },
  'new AbortRegistry': {
    call: (options) => new AbortRegistry(options),
    options: names('clock authorize ownerless onError'),
  },
  'new SessionLock': {
    call: (options) => new SessionLock(options),
    options: names('backend clock lockTimeoutMs writeGraceMs backendTimeoutMs onError'),
  },
  register: {
    call: (options) => new AbortRegistry().register({ id: 'r', ...options }),
    options: names('id sessionKey kind owner tags timeoutMs'),
  },
  run: {
    call: (options) => control().run({ sessionKey: 's', ...options }, () => 1),
    options: names(
      'sessionKey runId kind owner tags whenBusy startWhen timeoutMs queueTimeoutMs graceMs signal fingerprint onDuplicate save',
    ),
  },
  stream: {
    call: (options) => control().stream({ sessionKey: 's', ...options }, async function* () {}),
    options: names('readTimeoutMs atAbort sessionKey kind'),
  },
  child: {
    call: inRun((run, options: object) => run.child({ ...options }, () => 1)),
    options: names(
      'sessionKey runId kind tags whenBusy startWhen timeoutMs queueTimeoutMs graceMs signal fingerprint onDuplicate save detached',
    ),
  },
  'abort selector': {
    call: (selector) => control().abort(selector),
    options: names('runId sessionKey kind owner tag generation', 'selector.'),
  },
  abort: {
    call: (options) => control().abort('all', options),
    options: names('requester reason detail graceMs queued intent'),
  },
  wait: {
    call: (options) => control().wait('r', options),
    options: names('kind timeoutMs signal requester'),
  },
  list: { call: (options) => control().runs.list(options), options: names('requester') },
  isActive: { call: (options) => control().runs.isActive('s', options), options: names('kind requester') },
  'sessions.active': { call: (options) => control().sessions.active(options), options: names('requester') },
  'sessions.load': { call: (options) => control().sessions.load('s', options), options: names('requester') },
  inspect: { call: (options) => control().inspect(options), options: names('reveal limit') },
  drain: { call: (options) => control().drain(options), options: names('graceMs') },
  acquire: {
    call: (options) => control().locks.acquire('s', options),
    options: names('holder signal timeoutMs'),
  },
  whenQuiet: {
    call: async (options) => (await control().abort('all')).whenQuiet(options),
    options: names('timeoutMs'),
  },
  whenSaved: {
    call: async (options) => (await control().abort('all')).whenSaved(options),
    options: names('timeoutMs'),
  },
  'whenSaved of an outcome': {
    call: async (options) => {
      const outcome = await control().run({ sessionKey: 's', signal: AbortSignal.abort() }, () => 1);
      return outcome.status === 'aborted' && outcome.whenSaved(options);
    },
    options: names('timeoutMs'),
  },
  fence: { call: inRun((run, options) => run.fence((async function* () {})(), options)), options: names('atAbort') },
  gateStream: {
    call: inRun((run, options) => run.gateStream(async function* () {}, options)),
    options: names('name atAbort'),
  },
  gate: { call: inRun((run, options) => run.gate(() => 1, options)), options: names('name') },
  epilogue: { call: inRun((run, options) => run.epilogue(() => 1, options)), options: names('name') },
  commit: { call: inRun((run, options) => run.commit(() => 1, options)), options: names('timeoutMs') },
  read: { call: inRun((run, options) => run.read(() => 1, options)), options: names('timeoutMs') },
  attach: {
    call: inRun((run, options: object) => run.attach({ name: 'a', stop: () => {}, ...options })),
    options: names('name stop gone'),
  },
  files: {
    call: (options) => files({ dir: '/nowhere', ...options }),
    options: names('dir staleMs durable'),
  },
  spawn: {
    call: inRun((run, options) => spawn(run, 'no-such-program', [], options)),
    options: names('env stdin stdout stderr atAbort graceMs timeoutMs noOutputTimeoutMs'),
  },
};

function names(list: string, prefix = ''): Record<string, string> {
  return Object.fromEntries(list.split(' ').map((name) => [name, prefix + name]));
}

async function messageOf(make: () => unknown): Promise<string> {
  const error = await Promise.resolve()
    .then(make)
    .then(
      () => new Error('nothing was refused'),
      (caught: Error) => caught,
    );
  expect(error).toMatchObject({ code: 'INVALID_OPTIONS' });
  return error.message;
}

describe.each(Object.entries(CALLS))('%s', (name, { call, options }) => {
  test.each(Object.entries(options))('names %s when that is what is wrong (A86)', async (option, shown) => {
    const message = await messageOf(() => call({ [option]: Symbol('wrong') }));
    expect(message.startsWith(shown)).toBe(true);
    expect(message.charAt(shown.length)).toMatch(/\W/);
  });

  test('names an option that there is not, and those that there are', async () => {
    if (name === 'attach') return; // a resource may have more
    const message = await messageOf(() => call({ optoin: 1 }));
    expect(message).toContain('"optoin"');
    for (const option of Object.keys(options)) expect(message).toContain(option);
  });
});

test('a tag of a list is named with its place', async () => {
  expect(await messageOf(() => control().run({ sessionKey: 's', tags: ['good', ''] }, () => 1))).toMatch(/^tags\[1\] /);
});

test.each(['runId', 'kind', 'tag', 'sessionKey'])('no message has the wrong value of %s in it', async (key) => {
  const wrong = 'x'.repeat(2_000);
  expect(await messageOf(() => control().abort({ [key]: wrong }))).not.toContain('xxx');
});
