import { defineConfig } from 'tsup';

export default defineConfig({
  // One line per entry of package.json's `exports`, for example `'files/index': 'src/files/index.ts'`.
  entry: {
    index: 'src/index.ts',
    'agent/index': 'src/agent/index.ts',
    'agent/files/index': 'src/agent/files/index.ts',
    'ai/index': 'src/ai/index.ts',
    'backend/index': 'src/backend/index.ts',
    'diagnostics/index': 'src/diagnostics/index.ts',
    'files/index': 'src/files/index.ts',
    'mcp/index': 'src/mcp/index.ts',
    'postgres/index': 'src/postgres/index.ts',
    'openai/index': 'src/openai/index.ts',
    'langgraph/index': 'src/langgraph/index.ts',
    'openai-agents/index': 'src/openai-agents/index.ts',
    'gateway/index': 'src/gateway/index.ts',
    'gateway/client/index': 'src/gateway/client/index.ts',
    'http/index': 'src/http/index.ts',
    'node/index': 'src/node/index.ts',
    'process/index': 'src/process/index.ts',
    'redis/index': 'src/redis/index.ts',
    'streams/index': 'src/streams/index.ts',
    'testing/index': 'src/testing/index.ts',
    'ws/index': 'src/ws/index.ts',
  },
  tsconfig: 'tsconfig.src.json',
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  external: [/^node:/],
  dts: true,
  splitting: true,
  sourcemap: true,
  clean: true,
  // tsup would rewrite `node:x` to `x`, which breaks Deno, Workers and our own scan of the build.
  removeNodeProtocol: false,
});
