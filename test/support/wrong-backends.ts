import { type Backend, type ClaimRequest, type Memory, memory, type Notices, type StopRequest } from 'runfence';

type Overrides = Partial<Omit<Backend, 'scope' | 'synchronous'>>;

/** It answers at once. */
type Right = {
  readonly [Name in keyof Memory]: Memory[Name] extends (...args: infer Args) => infer Answer
    ? (...args: Args) => Awaited<Answer>
    : Memory[Name];
};

/** A backend in memory that does one thing wrong, and which scenario must notice. */
export interface WrongBackend {
  readonly wrong: string;
  readonly noticed: string;
  make(): Backend;
}

function over(change: (right: Right) => Overrides): () => Backend {
  return () => {
    const right = memory();
    const changes = change(right as Right);
    return new Proxy<Backend>(right, {
      get: (_, name) => {
        const own = changes[name as keyof Overrides];
        if (own !== undefined) return own;
        const value = right[name as keyof Backend];
        return typeof value === 'function' ? value.bind(right) : value;
      },
    });
  };
}

export const WRONG_BACKENDS: readonly WrongBackend[] = [
  {
    wrong: 'hands out one number twice',
    noticed: '1. the first generation is at least 1, the next is greater',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        return isA(answer, 'granted')
          ? { ...answer, generation: answer.generation - (answer.generation > 1 ? 1 : 0) }
          : answer;
      },
    })),
  },
  {
    wrong: 'begins anew with a session that is forgotten',
    noticed: '5. a session that was forgotten does not begin anew',
    make: () => freshSessions(),
  },
  {
    wrong: 'takes keys that differ in case for one',
    noticed: '6. sessions do not touch each other, whatever their keys look like',
    make: over((right) => ({
      claim: (request) => right.claim({ ...request, sessionKey: request.sessionKey.toLowerCase() }),
    })),
  },
  {
    wrong: 'keeps run ids apart by session only',
    noticed: 'claim: an id is taken in every session, not only in its own',
    make: over((right) => ({
      claim: (request) => right.claim({ ...request, runId: `${request.sessionKey}/${request.runId}` }),
    })),
  },
  {
    wrong: 'answers a duplicate as busy',
    noticed: 'claim: an id that is taken is a duplicate, and the answer is the first run as it was claimed',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        return isA(answer, 'duplicate') ? { kind: 'busy', live: [answer.run], stopsSeen: 0, epilogues: [] } : answer;
      },
    })),
  },
  {
    wrong: 'lists no owner with the run that is in the way',
    noticed: 'claim: exclusive is busy beside a running run, and names it with its owner; refused claims leave nothing',
    make: over((right) => ({
      claim: (request) => {
        const answer = right.claim(request);
        return isA(answer, 'busy')
          ? { ...answer, live: answer.live.map((run) => ({ ...run, owner: undefined })) }
          : answer;
      },
    })),
  },
  {
    wrong: 'grants a probe',
    noticed: 'claim: a probe is never granted, also where nothing is in the way, and claims no id',
    make: over((right) => ({
      claim: (request) => right.claim({ ...request, mode: request.mode === 'probe' ? 'concurrent' : request.mode }),
    })),
  },
  {
    wrong: 'marks what a claim replaces only when the claim is granted',
    noticed: 'claim: one that is refused as busy has marked what it replaces all the same',
    make: over((right) => ({
      claim: (request) => {
        const alone = {
          ...request,
          replaces: [],
          beside: [...request.beside, ...request.replaces.map(({ runId }) => runId)],
        };
        const { stopsSeen } = request;
        if (isA(right.claim({ ...alone, mode: 'probe' }), 'busy') && othersRun(right, alone)) {
          return { kind: 'busy', live: right.read(request), stopsSeen: stopsSeen ?? 0, epilogues: [] };
        }
        return right.claim(request);
      },
    })),
  },
  {
    wrong: 'marks what a duplicate would replace',
    noticed: 'claim: a duplicate and a stopped claim mark nothing',
    make: over((right) => ({
      claim: (request) => {
        right.stop({ ...request, reason: 'superseded', runs: request.replaces, record: undefined });
        return right.claim(request);
      },
    })),
  },
  {
    wrong: 'is busy before it is stopped',
    noticed: 'claim: a duplicate is told before a stop, and a stop before a run in the way',
    make: over((right) => ({
      claim: (request) => {
        const blind = { ...request, stopsJudged: Number.MAX_SAFE_INTEGER };
        const probed = request.mode === 'exclusive' ? right.claim({ ...blind, mode: 'probe' }) : undefined;
        const isBusy =
          probed !== undefined && isA(probed, 'busy') && probed.live.length > 0 && request.replaces.length === 0;
        return isBusy ? probed : right.claim(request);
      },
    })),
  },
  {
    wrong: 'does not wait for quiet',
    noticed: 'claim: a stopping run is in nobody’s way, unless quiet is asked for',
    make: over((right) => ({ claim: (request) => right.claim({ ...request, whenQuiet: false }) })),
  },
  {
    wrong: 'loses the record of a stop',
    noticed: 'stop: one of the session is kept for runs that were queued on other nodes when it came',
    make: over((right) => ({
      stop: (request) => {
        const { epilogues, number } = right.stop(request);
        if (number !== undefined) right.forget({ sessionKey: request.sessionKey, stop: number });
        return { epilogues, number };
      },
    })),
  },
  {
    wrong: 'applies an intent to every run of the session',
    noticed: 'stop: an intent is kept for the run of its id alone, on every node, until it is forgotten',
    make: over((right) => ({
      stop: (request) =>
        right.stop(
          request.record?.intent === true ? { ...request, record: { ...request.record, intent: false } } : request,
        ),
    })),
  },
  {
    wrong: 'forgets that an administrator asked',
    noticed: 'stop: who asked is kept exactly: a user, an administrator, the host',
    make: over((right) => ({
      stop: (request) => right.stop({ ...request, record: request.record && plain(request.record) }),
    })),
  },
  {
    wrong: 'stops by run id, whatever the generation',
    noticed: 'stop: another generation of the id is not stopped',
    make: over((right) => ({
      stop: (request) => right.stop({ ...request, runs: current(right, request) }),
    })),
  },
  {
    wrong: 'ends by run id, whatever the generation',
    noticed: 'end: a stopped run ends with its reason kept, and another generation of the id ends nothing',
    make: over((right) => ({
      end: (request) => {
        const [run] = right.read({ runId: request.runId });
        return right.end({ ...request, generation: run?.generation ?? request.generation });
      },
    })),
  },
  {
    wrong: 'forgets a live run',
    noticed: 'forget: a run that has not ended is not forgotten, and neither are others of its session',
    make: over((right) => ({
      forget: (what) => {
        const [run] = 'runId' in what ? right.read({ runId: what.runId }) : [];
        if (run !== undefined) right.end({ ...run, status: 'aborted', retain: false });
        right.forget(what);
      },
    })),
  },
  {
    wrong: 'frees a lock for whoever asks',
    noticed:
      '13. a lock that is given back twice: the second time it is not held any more, and its next holder keeps it',
    make: over((right) => ({
      unlock: ({ sessionKey, token }) => {
        const holder = right.holder(sessionKey);
        return right.unlock({ sessionKey, token: holder?.token ?? token });
      },
    })),
  },
  {
    wrong: 'grants a lock to a stale run',
    noticed: '17. a run that is stopped, unknown or of another generation gets no lock',
    make: over((right) => ({ lock: (request) => right.lock({ ...request, run: undefined }) })),
  },
  {
    wrong: 'lets its holder in again',
    noticed: '14. a lock is not reentrant: its own holder is told busy, with itself as the holder',
    make: over((right) => ({
      lock: (request) => {
        const holder = right.holder(request.sessionKey);
        const isOwn = holder?.runId !== undefined && holder.runId === request.run?.runId;
        return isOwn ? { kind: 'granted', token: holder.token } : right.lock(request);
      },
    })),
  },
  {
    wrong: 'revokes no grant with a stop',
    noticed: 'lock: a stop frees the grant that it lists, no grant that it does not list, and no later one',
    make: over((right) => ({
      stop: (request) => right.stop({ ...request, runs: request.runs.map((one) => ({ ...one, revoke: undefined })) }),
    })),
  },
  {
    wrong: 'grants over a reservation',
    noticed: 'epilogue: nobody is granted over a reservation, on no node',
    make: over((right) => ({
      lock: (request) => {
        const answer = right.lock(request);
        return isA(answer, 'busy') && answer.holder === undefined ? { kind: 'granted', token: 1_000_000 } : answer;
      },
    })),
  },
  {
    wrong: 'reserves another token each time it is asked',
    noticed: 'epilogue: asked again, as after a lost answer, it is the same token, and after its grant there is none',
    make: over((right) => {
      let extra = 0;
      return {
        stop: (request) => {
          const answer = right.stop(request);
          extra += 1;
          return { ...answer, epilogues: answer.epilogues.map((one) => ({ ...one, token: one.token + extra })) };
        },
      };
    }),
  },
  {
    wrong: 'keeps the reservation of a run that has ended',
    noticed: 'epilogue: one that nobody takes is dropped when its run ends, or when it is given back',
    make: over(() => ({ end: () => {} })),
  },
  {
    wrong: 'tells nobody anything',
    noticed: 'notice: a node hears that another has stopped its run, why, and by whom it is superseded',
    make: over(() => ({ subscribe: () => () => {} })),
  },
  {
    wrong: 'tells everybody of everybody’s stops',
    noticed:
      'notice: a node is told of its own runs and of nobody else’s; of what it stopped itself it need not be told',
    make: over((right) => {
      const all = new Set<Notices>();
      return {
        subscribe: (nodeId, notices) => {
          all.add(notices);
          const stopped: Notices['stopped'] = (notice) => {
            for (const each of all) each.stopped(notice);
          };
          return right.subscribe(nodeId, { ...notices, stopped });
        },
      };
    }),
  },
  {
    wrong: 'goes on telling after the remover was called',
    noticed: 'notice: nothing is heard after the remover was called, and others still hear',
    make: over((right) => ({
      subscribe: (nodeId, notices) => {
        right.subscribe(nodeId, notices);
        return () => {};
      },
    })),
  },
  {
    wrong: 'says that a stopped run is current',
    noticed: '17. a run is current until it is stopped, replaced or ended, and by its own generation only',
    make: over((right) => ({ check: ({ runId }) => right.read({ runId }).length > 0 })),
  },
  {
    wrong: 'keeps everything for ever',
    noticed: 'claim: a retained run stays a duplicate with its outcome, one that is not retained can be claimed anew',
    make: over((right) => ({ end: (request) => right.end({ ...request, retain: true }) })),
  },
];

type OfKind<Answer, Kind> = Answer extends { readonly kind: infer Kinds }
  ? Kind extends Kinds
    ? Answer
    : never
  : never;

function isA<Answer extends { readonly kind: string }, Kind extends Answer['kind']>(
  answer: Answer,
  kind: Kind,
): answer is OfKind<Answer, Kind> & Answer {
  return answer.kind === kind;
}

function othersRun(right: Right, { sessionKey, beside }: ClaimRequest): boolean {
  return right.read({ sessionKey }).some(({ runId, status }) => status === 'running' && !beside.includes(runId));
}

function current(right: Right, { runs }: StopRequest): StopRequest['runs'] {
  return runs.map((one) => {
    const [run] = right.read({ runId: one.runId });
    return { ...one, generation: run?.generation ?? one.generation };
  });
}

function plain(record: NonNullable<StopRequest['record']>): NonNullable<StopRequest['record']> {
  return JSON.parse(JSON.stringify(record)) as NonNullable<StopRequest['record']>;
}

/** One backend a session, made anew when nothing of the session is left. */
function freshSessions(): Backend {
  const sessions = new Map<string, Right & Memory>();
  const of = (sessionKey: string): Right & Memory => {
    const known = sessions.get(sessionKey);
    const isLeft = known !== undefined && (known.state().runs.length > 0 || known.state().sessions.length > 0);
    const session = isLeft ? known : (memory() as Right & Memory);
    sessions.set(sessionKey, session);
    return session;
  };
  return {
    scope: 'process',
    synchronous: true,
    claim: (request) => of(request.sessionKey).claim(request),
    stop: (request) => of(request.sessionKey).stop(request),
    end: (request) => of(request.sessionKey).end(request),
    check: (run) => of(run.sessionKey).check(run),
    lock: (request) => of(request.sessionKey).lock(request),
    unlock: (request) => of(request.sessionKey).unlock(request),
    holder: (sessionKey) => of(sessionKey).holder(sessionKey),
    read: (query) =>
      'sessionKey' in query
        ? of(query.sessionKey).read(query)
        : [...sessions.values()].flatMap((session) => session.read(query)),
    forget: (what) => of(what.sessionKey).forget(what),
    subscribe: () => () => {},
    close: () => {},
  };
}
