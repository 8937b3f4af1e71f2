import type { Bench } from './bench.js';
import type { ConformanceOptions } from './options.js';

/** One thing that a backend must do. */
export interface Scenario {
  readonly name: string;
  /** Why a backend cannot have it; `undefined`: it can. */
  readonly lacks?: (options: ConformanceOptions) => string | undefined;
  /** How long it may take, in ms. */
  readonly timeoutMs?: number;
  readonly run: (bench: Bench) => Promise<void>;
}

export function lacksProcesses({ processes }: ConformanceOptions): string | undefined {
  if (processes === undefined) return 'its state is in one process';
  return typeof processes === 'string' ? processes : undefined;
}

export function lacksDurability({ isDurable }: ConformanceOptions): string | undefined {
  return isDurable ? undefined : 'what it keeps ends with its process';
}

export function lacksOpenAt({ openAt }: ConformanceOptions): string | undefined {
  return openAt === undefined ? 'its store cannot be made with a counter (no openAt)' : undefined;
}

export function lacksSelfFence(options: ConformanceOptions): string | undefined {
  const { processes } = options;
  if (typeof processes !== 'object') return lacksProcesses(options);
  return processes.selfFences === true ? undefined : 'its nodes have no deadline of their own (no selfFences)';
}

export function lacksLeases(options: ConformanceOptions): string | undefined {
  const { endsLeases, processes } = options;
  if (endsLeases === true) return undefined;
  return processes === undefined ? 'its nodes have no leases' : lacksProcesses(options);
}
