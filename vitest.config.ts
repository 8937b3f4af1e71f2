import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { hasChromium } from './test/browser/support/chromium.js';
import { currentMajors } from './test/support/current-majors.js';
import { isWhole } from './test/support/proofs.js';
import { nginxBinary } from './test/support/servers/nginx.js';
import { postgresBinaries } from './test/support/servers/postgres.js';
import { hasRedis } from './test/support/servers/redis.js';

// Tests read the source, not the build; the packaging project reads the build.
const source = fileURLToPath(new URL('./src/', import.meta.url));
const resolve = {
  alias: [
    { find: /^runfence$/, replacement: `${source}index.ts` },
    { find: /^runfence\/(.+)$/, replacement: `${source}$1/index.ts` },
  ],
};

/** Tests of processes that start, stand still until a lease has passed, and end: they hardly compute. */
const WAITING = { maxWorkers: isWhole ? 4 : 6, sequence: { groupOrder: 1 } };

const PROCESSES = {
  isolate: false,
  setupFiles: ['./test/process/left-behind.ts'],
  execArgv: ['--expose-gc'],
  // Processes start and are killed; the machine may be busy.
  testTimeout: 60_000,
};

const REDIS = {
  globalSetup: ['./test/redis/support/needs-server.ts'],
  setupFiles: ['./test/redis/support/leaks.ts'],
  // Each file would load the sources and the clients anew, which takes longer than most of them.
  isolate: false,
  testTimeout: 60_000,
  ...WAITING,
};

const POSTGRES = {
  setupFiles: ['./test/postgres/support/leaks.ts'],
  globalSetup: ['./test/postgres/setup.ts'],
  testTimeout: 60_000,
  ...WAITING,
};

const PROJECTS: TestProjectInlineConfiguration[] = [
  {
    extends: true,
    resolve,
    test: {
      name: 'core',
      include: ['test/core/**/*.test.ts', 'test/diagnostics/**/*.test.ts'],
      setupFiles: ['./test/support/leaks.ts'],
      execArgv: ['--expose-gc'],
      // 100 000 runs in one test, on a machine that has other work too.
      testTimeout: 30_000,
      // The leak check would miss what one file leaves to the next; and it is four times as fast.
      isolate: false,
    },
  },
  {
    extends: true,
    resolve,
    test: {
      name: 'proof',
      include: ['test/proof/**/*.test.ts'],
      isolate: false,
      setupFiles: ['./test/support/leaks.ts'],
      execArgv: ['--expose-gc'],
      // Thousands of sequences or seeds in one test, if `npm run proofs` asks for the whole.
      testTimeout: isWhole ? 600_000 : 120_000,
    },
  },
  {
    extends: true,
    resolve,
    test: {
      name: 'streams',
      include: ['test/streams/**/*.test.ts'],
      isolate: false,
      setupFiles: ['./test/support/leaks.ts'],
      execArgv: ['--expose-gc'],
      testTimeout: 20_000,
    },
  },
  {
    extends: true,
    resolve,
    test: {
      name: 'process',
      include: ['test/process/*.test.ts'],
      ...PROCESSES,
      ...WAITING,
    },
  },
  {
    extends: true,
    resolve,
    test: {
      name: 'process-alone',
      include: ['test/process/alone/*.test.ts'],
      ...PROCESSES,
      maxWorkers: 1,
      sequence: { groupOrder: 2 },
    },
  },
  {
    extends: true,
    resolve,
    test: {
      name: 'agent',
      include: [
        'agent',
        'ai',
        'gateway',
        'http',
        'langgraph',
        'mcp',
        'node',
        'openai',
        'openai-agents',
        'testing',
        'ws',
      ].map((room) => `test/${room}/**/*.test.ts`),
      // A project of their own. A person at a terminal, who waits for each answer: `npm run proofs`.
      // Behind a real nginx, where there is one.
      exclude: [
        'test/agent/files/**',
        ...(isWhole ? [] : ['test/agent/terminal/**']),
        ...(nginxBinary() === undefined ? ['test/node/nginx/**'] : []),
      ],
      globalSetup: ['./test/node/nginx/needs-nginx.ts'],
      isolate: false,
      setupFiles: ['./test/support/leaks.ts'],
      execArgv: ['--expose-gc'],
      testTimeout: 20_000,
    },
  },
  {
    extends: true,
    resolve,
    test: {
      // Apart: some of them load the sources over a disk of their own.
      name: 'agent-files',
      include: ['test/agent/files/**/*.test.ts'],
      setupFiles: ['./test/support/leaks.ts'],
      testTimeout: 20_000,
    },
  },
  {
    extends: true,
    resolve,
    test: {
      name: 'files',
      include: ['test/files/**/*.test.ts'],
      // What the library does without us, many processes at a time, and the conformance suite: `npm run proofs`.
      exclude: isWhole
        ? []
        : ['agents/*', 'conformance/*', 'load', 'orphans', 'plain-lockfile', 'storm'].map(
            (name) => `test/files/${name}.test.ts`,
          ),
      setupFiles: ['./test/files/support/leaks.ts'],
      // Processes start, stand still and are killed; the machine may be busy.
      testTimeout: 60_000,
      ...WAITING,
    },
  },
  {
    extends: true,
    resolve,
    test: {
      name: 'redis',
      include: [hasRedis() ? 'test/redis/**/*.test.ts' : 'test/redis/no-server.test.ts'],
      // Servers and processes that are killed, paused and cut off, and the second client: `npm run proofs:redis`.
      exclude: [
        'test/redis/storm/**',
        ...(isWhole ? [] : ['test/redis/failures/**', 'test/redis/conformance/node-redis*']),
      ],
      ...REDIS,
    },
  },
  {
    extends: true,
    resolve,
    test: { name: 'redis-storms', include: ['test/redis/storm/**/*.test.ts'], ...REDIS },
  },
  {
    extends: true,
    resolve,
    test: {
      name: 'postgres',
      // Without a server the rest is not run, and `setup.ts` says so.
      include: [postgresBinaries() === undefined ? 'test/postgres/plain/*.test.ts' : 'test/postgres/**/*.test.ts'],
      // Servers of their own, which are killed, paused and cut off, and the second client: `npm run proofs:postgres`.
      exclude: [
        'test/postgres/storm/**',
        ...(isWhole ? [] : ['test/postgres/failures/**', 'test/postgres/conformance/postgres-js*']),
      ],
      ...POSTGRES,
    },
  },
  {
    extends: true,
    resolve,
    test: { name: 'postgres-storms', include: ['test/postgres/storm/**/*.test.ts'], ...POSTGRES },
  },
  {
    extends: true,
    resolve,
    test: {
      name: 'browser',
      include: [hasChromium() ? 'test/browser/**/*.test.ts' : 'test/browser/no-chromium.test.ts'],
      globalSetup: ['./test/browser/support/needs-chromium.ts'],
      setupFiles: ['./test/support/leaks.ts'],
      // A browser starts; the machine may be busy.
      testTimeout: 60_000,
      hookTimeout: 60_000,
      // One more try for a browser on a machine of CI, which may stall; at a desk a test that flickers shows.
      retry: process.env.CI === undefined ? 0 : 1,
      maxWorkers: 2,
    },
  },
  {
    extends: true,
    resolve,
    test: {
      name: 'docs',
      include: ['test/docs/**/*.test.ts'],
      // Every example against the `lib` of every host: `npm run proofs`.
      exclude: isWhole ? [] : ['test/docs/libs.test.ts'],
      testTimeout: 30_000,
    },
  },
  {
    extends: true,
    test: { name: 'bench', include: ['test/bench/**/*.test.ts', 'test/tools/**/*.test.ts'] },
  },
  {
    // Reads `dist`: `npm run test:packaging` builds first.
    extends: true,
    test: {
      name: 'packaging',
      include: ['test/packaging/**/*.test.ts'],
      testTimeout: 120_000,
      hookTimeout: 120_000,
    },
  },
];

/** Each project that is set up takes a fifth of a second: only those that `--project` names are, unless it is a pattern. */
const asked = process.argv.flatMap((word, at, all) => (word === '--project' ? [all[at + 1] ?? ''] : []));
const isAsked = ({ test }: TestProjectInlineConfiguration): boolean =>
  asked.length === 0 || asked.some((one) => one === test?.name || /[*!]/.test(one));

export default defineConfig({
  plugins: [currentMajors()],
  test: {
    pool: 'forks',
    // On two processors one computes while another waits. What mostly waits comes after them, with more workers.
    maxWorkers: 3,
    silent: 'passed-only',
    // A test waits for a state, and not for a time: on a busy machine one second, the default, is none at all.
    expect: { poll: { timeout: 15_000 } },
    coverage: {
      provider: 'v8',
      // Without `include`, a file that no test imports would not show as 0 %.
      include: ['src/**/*.ts'],
      reporter: ['text', 'html'],
      thresholds: { 'src/core/**/*.ts': { lines: 95, branches: 90 } },
    },
    projects: PROJECTS.filter(isAsked),
  },
});
