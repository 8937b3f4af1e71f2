import { ADMIN, type Principal, type Requester, type RunControl } from '../index.js';

/** Who makes a request, from your authentication. */
export interface Authenticated {
  /** Its runs are owned by this principal. */
  readonly principal: Principal;
  /** True: it may see and stop the runs of everybody. */
  readonly admin?: boolean | undefined;
}

/** Who makes a request. */
export interface Caller {
  readonly principal: Principal;
  readonly isAdmin: boolean;
  /** Who asks, for reading and stopping: an admin may do everything. */
  readonly requester: Requester;
}

/** @throws an error for a principal that names nobody */
export function callerFrom(control: RunControl, { principal: given, admin }: Authenticated): Caller {
  // The host may use its object for the next request: who this is stays as it is.
  const principal: Principal = Object.freeze({ ...given });
  try {
    // Nothing has this id: it says whether the principal is one. A symbol is not: an admin says `admin: true`.
    control.runs.get(' ', { requester: principal });
  } catch (cause) {
    throw new Error('authenticate must give a principal with userId, deviceId or connId.', { cause });
  }
  return { principal, isAdmin: admin === true, requester: admin === true ? ADMIN : principal };
}
