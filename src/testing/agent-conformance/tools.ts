import type { RunControl } from '../../index.js';
import type { ConformanceTool } from './options.js';
import type { Points } from './points.js';

const PARAMETERS = { type: 'object', properties: { turn: { type: 'number' } }, required: ['turn'] } as const;

/** What a scenario's tools have done. Each call says the turn that it belongs to, so that a late start is seen. */
export class Tools {
  readonly tools: readonly ConformanceTool[];
  /** The names of the tools that were started, and of those that have ended. */
  readonly started: string[] = [];
  readonly ended: string[] = [];
  /** Tools that were started after the stop of their turn's run. */
  readonly late: string[] = [];
  /** The turns whose runs were stopped: the first run is turn 1. */
  readonly #cut = new Set<number>();
  readonly #runs: string[] = [];

  constructor(tools: readonly ConformanceTool[], points?: Points) {
    this.tools = tools.map((tool) => this.#watched(tool, points));
  }

  /** Hears of the runs that the tools are called in. */
  watch(control: RunControl): void {
    control.on('run:started', ({ run }) => {
      if (run.parentId === undefined) this.#runs.push(run.runId);
    });
    control.on('run:aborted', ({ run }) => this.#cut.add(this.#runs.indexOf(run.runId) + 1));
  }

  /** Lets the tools end that the scenario holds. */
  release: () => void = () => {};

  #watched(tool: ConformanceTool, points: Points | undefined): ConformanceTool {
    const made = points === undefined ? tool.execute : points.around(`tool ${tool.name}`, tool.execute);
    const execute = async (input: unknown): Promise<unknown> => {
      const { turn } = input as { readonly turn: number };
      this.started.push(tool.name);
      if (this.#cut.has(turn)) this.late.push(`${tool.name} of turn ${turn}`);
      try {
        return await made(input);
      } finally {
        this.ended.push(tool.name);
      }
    };
    return { ...tool, execute };
  }
}

type Made = Partial<Pick<ConformanceTool, 'effect' | 'needsApproval'>>;

export function toolNamed(
  name: string,
  execute: () => unknown,
  { effect = 'read', needsApproval = false }: Made = {},
): ConformanceTool {
  return {
    name,
    description: `The tool ${name}.`,
    parameters: PARAMETERS,
    effect,
    needsApproval,
    execute: async () => execute(),
  };
}

/** A tool that does not end before the test lets it. */
export function heldTool(name: string, made: Made = {}): { readonly tool: ConformanceTool; readonly open: () => void } {
  let open!: () => void;
  const held = new Promise<string>((resolve) => {
    open = () => resolve('it has ended');
  });
  return { tool: toolNamed(name, () => held, made), open };
}
