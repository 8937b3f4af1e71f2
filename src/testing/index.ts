/**
 * Helpers for the tests of servers that use runfence: time without waiting, a backend that fails and
 * delays on demand, a scripted model that is as strict as the providers are, a check that nothing was left
 * behind, and the tests that every backend must pass.
 *
 * @module runfence/testing
 */

export type {
  AgentConformanceOptions,
  ConformanceParts,
  ConformanceServer,
  ConformanceSetup,
  ConformanceTool,
} from './agent-conformance/options.js';
export { agentConformance } from './agent-conformance/suite.js';
export { obeyConformance } from './conformance/obey.js';
export type {
  ConformanceOptions,
  ConformanceProcess,
  ConformanceProcesses,
  ConformanceStore,
  ConformanceThread,
  StagedScenario,
} from './conformance/options.js';
export { backendConformance } from './conformance/suite.js';
export { type ExpectQuietOptions, expectQuiet, NotQuietError } from './expect-quiet.js';
export { FakeClock, flush } from './fake-clock.js';
export { type BackendMethod, FaultyBackend, type FaultyBackendOptions } from './faulty-backend.js';
export type { ModelRefusal } from './model-server/refusal.js';
export type { ModelRequest } from './model-server/request.js';
export {
  Hold,
  type ModelFailure,
  type ModelFinish,
  type ModelPiece,
  type ModelReply,
  type ModelScript,
  type ScriptedCall,
} from './model-server/script.js';
export { type ModelServer, type ModelServerOptions, startModelServer } from './model-server/server.js';
export type { ModelBody, ModelCall, ModelMessage, ModelTool } from './model-server/transcript.js';
export type { RandomFaults } from './random-faults.js';
