import type { AgentConformanceOptions } from './options.js';

/** One thing that an agent must do. */
export interface Scenario {
  readonly name: string;
  /** Why an agent cannot have it; `undefined`: it can. */
  readonly lacks?: (options: Pick<AgentConformanceOptions<never>, 'steers' | 'asks'>) => string | undefined;
  /** How long it may take, in ms. */
  readonly timeoutMs?: number;
  readonly run: <M>(options: AgentConformanceOptions<M>) => Promise<void>;
}

export function lacksSteering({ steers }: { readonly steers?: boolean }): string | undefined {
  return steers === true ? undefined : 'its turns take no messages (steers)';
}

export function lacksApprovals({ asks }: { readonly asks?: boolean }): string | undefined {
  return asks === true ? undefined : 'it asks nobody before a tool (asks)';
}
