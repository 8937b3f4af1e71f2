import type { ListedStop, MemoryState, RecordedStop, RunState, SessionState, StopList } from '../backend/index.js';
import { ADMIN, type Principal, type Requester } from '../index.js';

/**
 * The sessions of a memory's state. The list of the whole backend is a record of its own; nothing comes twice to a
 * folder, and what was forgotten there is.
 */
export type Sessions = Omit<MemoryState, 'list' | 'forgotten'>;

const ADMIN_MARK: Principal = { userId: '' };

/** As JSON can hold it: `ADMIN` is a mark. */
export function asJson({ list: _list, forgotten: _forgotten, ...state }: MemoryState): Sessions {
  return { ...state, sessions: withRequesters(state.sessions, marked) };
}

export function fromJson(state: Sessions, list: StopList): MemoryState {
  const { runs, sessions } = state;
  return {
    ...state,
    runs: runs.map(withGrace),
    sessions: withRequesters(sessions, unmarked),
    list: listFromJson(list),
  };
}

export function listAsJson({ version, stops }: StopList): StopList {
  return { version, stops: stops.map((stop) => ({ ...stop, requester: marked(stop.requester) })) };
}

export function listFromJson({ version, stops }: StopList): StopList {
  return { version, stops: stops.map((stop): ListedStop => ({ ...stop, requester: unmarked(stop.requester) })) };
}

/** Infinity is `null` in JSON. */
function withGrace(run: RunState): RunState {
  return (run.graceMs as number | null) === null ? { ...run, graceMs: Number.POSITIVE_INFINITY } : run;
}

/** No principal looks like the mark: an id of one is never empty. Without its requester a stop would count as the server's own. */
function marked(requester: Requester | undefined): Requester | undefined {
  return requester === ADMIN ? ADMIN_MARK : requester;
}

function unmarked(requester: Requester | undefined): Requester | undefined {
  if (requester === undefined || requester === ADMIN) return requester;
  return requester.userId === '' ? ADMIN : requester;
}

function withRequesters(
  sessions: readonly SessionState[],
  replace: (requester: Requester | undefined) => Requester | undefined,
): readonly SessionState[] {
  return sessions.map((session) => {
    if (session.stops.length === 0) return session;
    const stops = session.stops.map(({ stop, unmet }) => ({
      stop: { ...stop, requester: replace(stop.requester) } satisfies RecordedStop,
      unmet,
    }));
    return { ...session, stops };
  });
}
