import type { Agent, AgentRunner, History } from '../../agent/index.js';
import type { Awaitable, RunControl } from '../../index.js';

/** A tool of a scenario, for the agent to offer in its framework's form. */
export interface ConformanceTool {
  /** What the model calls it. */
  readonly name: string;
  /** A line for the model. */
  readonly description: string;
  /** Its arguments: a JSON Schema of an object. */
  readonly parameters: {
    /** Arguments have names. */
    readonly type: 'object';
    /** Anything else that JSON Schema has. */
    readonly [name: string]: unknown;
  };
  /** What may happen if it is called twice. */
  readonly effect: 'read' | 'idempotent' | 'unsafe';
  /** Whether a person is asked before it starts. */
  readonly needsApproval: boolean;
  /** Does it. It ignores every signal, as tools do. */
  execute(input: unknown): Promise<unknown>;
}

/** What an agent is made with. */
export interface ConformanceSetup {
  /** Where the model listens: it speaks OpenAI's chat completions. */
  readonly baseURL: string;
  /** A key that it takes. */
  readonly apiKey: string;
  /** A model's name that it takes. */
  readonly model: string;
  /** The tools of the scenario. */
  readonly tools: readonly ConformanceTool[];
  /** How many requests a turn may make. */
  readonly maxSteps: number;
}

/** What a server of yours is made with, in place of its own parts. */
export interface ConformanceParts<M> {
  /** The agent: the one of `makeAgent`, watched. */
  readonly agent: Agent<M>;
  /** A history, which fails when a scenario wants it to. */
  readonly history: History;
  /** The `onError` of the control. */
  readonly onError: (error: unknown) => void;
  /** The `graceMs` of the control's defaults, in ms. */
  readonly graceMs: number;
}

/** The parts of a server that a scenario drives. */
export interface ConformanceServer {
  /** Its control: one of its own for each scenario, which is drained at the end. */
  readonly control: RunControl;
  /** Its runner. */
  readonly runner: AgentRunner;
}

/** How an agent is put to the test. */
export interface AgentConformanceOptions<M> {
  /** What the report calls the agent. */
  readonly name: string;
  /** Declares a test: `test` of vitest and jest, or of `node:test` with the order of its parameters changed. */
  readonly test: (name: string, body: () => Promise<void>, timeoutMs: number) => unknown;
  /** Called with what is to run once all tests are over: `afterAll`, `after`. */
  readonly afterAll: (body: () => void) => unknown;
  /** Called with the report's lines; `console.log` will do. */
  readonly print: (line: string) => void;
  /** Hears of a scenario that this agent cannot have, to show it as skipped. The report names it in any case. */
  readonly skip?: (name: string, reason: string) => unknown;
  /** Makes the agent, as your server does, but on this model and with these tools. */
  readonly makeAgent: (setup: ConformanceSetup) => Awaitable<Agent<M>>;
  /**
   * Makes the control and the runner as your server does, with its backend and its options, around these parts. Left out,
   * they are plain ones. Sessions have no owner: the scenarios act as the host itself.
   */
  readonly makeServer?: (parts: ConformanceParts<M>) => Awaitable<ConformanceServer>;
  /** True if its turns take messages while they run. */
  readonly steers?: boolean;
  /** True if it asks before a tool with `needsApproval`. */
  readonly asks?: boolean;
  /** How many of the landings run, from 0 to 1; 1, all of them, by default. */
  readonly share?: number;
}
