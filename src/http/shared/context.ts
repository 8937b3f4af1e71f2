import type { AgentRunner } from '../../agent/index.js';
import type { RunControl } from '../../index.js';
import type { Caller, Places } from '../../transport/index.js';
import type { HttpHandlersOptions, Limits } from '../options.js';
import type { ResponseHeads } from '../responses/heads.js';

/** What the handlers of one `createHttpHandlers` have in common. */
export interface HttpContext {
  readonly runner: AgentRunner;
  readonly control: RunControl;
  readonly options: HttpHandlersOptions;
  readonly limits: Limits;
  readonly places: Places;
  readonly heads: ResponseHeads;
}

/** A request that is let in. */
export interface Call {
  readonly context: HttpContext;
  readonly request: Request;
  readonly caller: Caller;
  /** The part of the path that names a run, a session or a chat; empty where there is none. */
  readonly id: string;
}
