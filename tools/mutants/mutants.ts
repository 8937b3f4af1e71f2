/** One defect: edits of one file, each of a text that is there exactly once. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly edits: readonly (readonly [find: string, replace: string])[];
}

/** The fence of functions is open: what the demo must notice, too. */
export const UNFENCED: Mutant = {
  name: 'a fenced function is called whether its run is current or not',
  file: 'src/core/fence/function.ts',
  edits: [['if (run.current) return sink(...args);', 'if (run.current || !run.current) return sink(...args);']],
};

export const mutants: readonly Mutant[] = [
  // Invariant 1, the cut.
  UNFENCED,
  {
    name: 'a fenced iterable delivers what was unread at the cut',
    file: 'src/core/fence/iterable.ts',
    edits: [["this.state = this.fence.run.current ? 'delivered' : 'dropped';", "this.state = 'delivered';"]],
  },
  {
    name: 'a gate starts its function whether its run is current or not',
    file: 'src/core/fence/gate.ts',
    edits: [
      ['    if (!this.run.current) {\n      this.closed(this.run.closedError());\n      return;\n    }\n', ''],
      ['if (this.run.current) this.start(call);', 'this.start(call);'],
    ],
  },
  {
    name: "a gate does not look again after the backend's answer",
    file: 'src/core/fence/gate.ts',
    edits: [['if (this.run.current) this.start(call);', 'this.start(call);']],
  },
  {
    name: "a commit does not look again after the backend's answer",
    file: 'src/core/lock/grant.ts',
    edits: [['if (isValid && this.isHeld()) {', 'if (isValid) {']],
  },
  {
    name: 'the signal is fired before the cut',
    file: 'src/core/run/managed-run.ts',
    edits: [
      [
        'mark(stop: Stop): void {\n    this.current = false;\n    this.stop = stop;\n',
        'mark(stop: Stop): void {\n    this.stop = stop;\n    this.fire();\n    this.current = false;\n',
      ],
    ],
  },
  {
    name: 'the signal of one run is fired before the next is cut',
    file: 'src/core/abort/cut.ts',
    edits: [['    entry.mark(stop);\n', '    entry.mark(stop);\n    entry.fire();\n']],
  },
  {
    name: 'children are not cut',
    file: 'src/core/abort/cut.ts',
    edits: [
      [
        'for (const dependant of (this.entries[i] as Entry).dependants()) {',
        'for (const dependant of (this.entries[i] as Entry).dependants().slice(0, 0)) {',
      ],
    ],
  },
  {
    name: 'work is called although its run was cut before',
    file: 'src/core/run/perform.ts',
    edits: [['  if (!run.isCurrent()) {\n    run.unwound();\n    return;\n  }\n', '']],
  },
  // Invariant 2, one winner.
  {
    name: 'the first terminal result is overwritten',
    file: 'src/core/run/managed-run.ts',
    edits: [["const wins = this.status === 'running';", "const wins = this.status !== 'queued';"]],
  },
  {
    name: 'a takeover leaves queued runs in the queue',
    file: 'src/core/run/queue.ts',
    edits: [
      [
        'return run.isFirstInSession ? NOBODY : this.#others(run, isLive, run);',
        "return this.#others(run, (other) => other.status === 'running', run);",
      ],
    ],
  },
  {
    name: 'a retry runs again where the first run is known',
    file: 'src/core/run/admission.ts',
    edits: [['if (known !== undefined) return this.#duplicates.ofLocal(known, spec);', 'void known;']],
  },
  {
    name: 'a retry runs again on another node',
    file: 'src/core/backend/memory.ts',
    edits: [["if (known !== undefined) return { kind: 'duplicate', run: known };", 'void known;']],
  },
  {
    name: 'the fingerprint of a retry is not compared',
    file: 'src/core/run/duplicates.ts',
    edits: [['      !contradicts &&\n', '      (contradicts || !contradicts) &&\n']],
  },
  {
    name: 'retention evicts the id of a live run',
    file: 'src/core/backend/memory.ts',
    edits: [
      [
        'if (run !== undefined && !run.isLive) this.#runs.delete(what.runId);',
        'if (run !== undefined) this.#runs.delete(what.runId);',
      ],
    ],
  },
  // Invariant 3, no reuse.
  {
    name: 'generations start anew when every session is forgotten',
    file: 'src/core/backend/memory.ts',
    edits: [
      [
        'if (session.isIdle) this.#sessions.rest(session);',
        'if (session.isIdle) this.#sessions.rest(session);\n    if (this.#sessions.busy.length === 0) this.#counter = 0;',
      ],
    ],
  },
  // Invariant 4, identity.
  {
    name: 'an ended entry is removed by its id, whoever has it now',
    file: 'src/core/abort/entry-index.ts',
    edits: [['if (this.#byId.get(entry.id) === entry) this.#byId.delete(entry.id);', 'this.#byId.delete(entry.id);']],
  },
  {
    name: 'an end hits the run of the same id in another generation',
    file: 'src/core/backend/memory.ts',
    edits: [
      ['if (run === undefined || run.generation !== request.generation) return;', 'if (run === undefined) return;'],
    ],
  },
  {
    name: 'a notice of a stop hits a later generation',
    file: 'src/core/run/notices.ts',
    edits: [
      ['if (entry.generation === generation) hit.push(entry);', "if (entry.status !== 'queued') hit.push(entry);"],
    ],
  },
  {
    name: 'a node that leaves takes what it retained with it',
    file: 'src/core/backend/memory.ts',
    edits: [['else for (const run of retainedBy(node)) this.#adopt(run);', '']],
  },
  {
    name: 'a stop raises the floor over an older run beside it',
    file: 'src/core/backend/memory.ts',
    edits: [
      [
        '        run.reason = reason;\n',
        "        run.reason = reason;\n        for (const other of this.#runs.values()) if (other.sessionKey === sessionKey && other.isLive && other.generation < run.generation) other.status = 'stopping';\n",
      ],
    ],
  },
  {
    name: 'a gap does not look for stops that were missed',
    file: 'src/core/run/notices.ts',
    edits: [["if (run.status === 'stopping') stop(", "if (run.status === 'aborted') stop("]],
  },
  {
    name: 'the lock is freed by whoever names a token',
    file: 'src/core/backend/memory-lock.ts',
    edits: [['if (this.holder?.token === token) {', 'if (this.holder !== undefined) {']],
  },
  // Invariant 5, authority first.
  {
    name: 'an abort does not ask for the owner',
    file: 'src/core/abort/registry.ts',
    edits: [["if (!this.runtime.authority.may('abort', requester, entry)) {", 'if (requester === null) {']],
  },
  {
    name: 'a takeover does not ask for the owner',
    file: 'src/core/run/admission.ts',
    edits: [
      [
        "for (const rival of rivals) if (!authority.may('supersede', owner, rival)) return false;",
        'void [authority, owner];',
      ],
    ],
  },
  {
    name: 'a stranger may read a run',
    file: 'src/core/run/registry.ts',
    edits: [
      [
        "return (run) => this.#runtime.authority.may('read', requester, run);",
        'return (run) => run.owner !== requester || run.owner === requester;',
      ],
    ],
  },
  {
    name: 'the reason of the signal tells the id of the run',
    file: 'src/core/run/managed-run.ts',
    edits: [
      [
        'this.#error ??= this.stop.errorFor(this.sessionKey);',
        'this.#error ??= Object.assign(this.stop.errorFor(this.sessionKey), { runId: this.id });',
      ],
    ],
  },
  {
    name: 'the reason of the signal is shared with other sessions',
    file: 'src/core/abort/stop.ts',
    edits: [['this.#error === undefined || this.#sessionKey !== sessionKey', 'this.#error === undefined']],
  },
  {
    name: 'a child does not inherit its owner',
    file: 'src/core/run/options.ts',
    edits: [['inherited), owner },', 'inherited), owner: owner && undefined },']],
  },
  {
    name: 'an intent is not kept for the run to come',
    file: 'src/core/backend/memory-session.ts',
    edits: [['if (stop.intent) return stop.selector.runId === request.runId;', 'if (stop.intent) return false;']],
  },
  {
    name: 'a session stop does not move the stop counter',
    file: 'src/core/backend/memory.ts',
    edits: [
      ['(session ?? this.#useSession(sessionKey)).record(stop);', 'void (session ?? this.#useSession(sessionKey));'],
    ],
  },
  {
    name: 'a queued run is not refused by a stop of its session that this node missed',
    file: 'src/core/backend/memory-session.ts',
    edits: [
      ['request.stopsSeen !== undefined && stop.number > request.stopsSeen;', 'request.stopsSeen === stop.number;'],
    ],
  },
  {
    name: 'a stop that was recorded by a stranger ends a run to come',
    file: 'src/core/run/claims.ts',
    edits: [["authority.may('abort', requester, run)", "authority.may('abort', undefined && requester, run)"]],
  },
  // Invariant 6, projection first.
  {
    name: 'projections change after the event',
    file: 'src/core/run/managed-run.ts',
    edits: [
      ["    this.status = this.generation === 0 && this.resources === undefined ? 'aborted' : 'stopping';\n", ''],
      [
        '    this.announceEnd();\n    this.tellEnded();\n',
        "    this.announceEnd();\n    this.status = this.generation === 0 && this.resources === undefined ? 'aborted' : 'stopping';\n    this.tellEnded();\n",
      ],
    ],
  },
  // Invariant 7, the lock at the abort.
  {
    name: 'the lock is released on timeouts only',
    file: 'src/core/run/managed-run.ts',
    edits: [['this.revokeGrants(false);', "if (this.reason === 'timeout') this.revokeGrants(false);"]],
  },
  {
    name: 'the lock is handed over under a critical section',
    file: 'src/core/lock/grant.ts',
    edits: [
      [
        '    if (!this.#isWriting) {\n      this.#over();\n      return;\n    }\n    this.#state',
        "    if (this.#state === 'held') {\n      this.#over();\n      return;\n    }\n    this.#state",
      ],
    ],
  },
  {
    name: 'the epilogue runs after the grant of the successor',
    file: 'src/core/backend/memory-lock.ts',
    edits: [
      [
        'return this.holder === undefined && (first === undefined || first.token === reserved);',
        'return this.holder === undefined && first !== null && reserved !== null;',
      ],
    ],
  },
  {
    name: 'who waits for the lock is served before the epilogue',
    file: 'src/core/lock/queue.ts',
    edits: [
      [
        'if (epilogue !== undefined) this.#serveEpilogue(epilogue);\n    else if (waiter !== undefined && this.#epilogues.isEmpty) this.#serveWaiter(waiter);',
        'if (waiter !== undefined) this.#serveWaiter(waiter);\n    else if (epilogue !== undefined) this.#serveEpilogue(epilogue);',
      ],
    ],
  },
  {
    name: 'an epilogue has no time limit',
    file: 'src/core/lock/epilogue.ts',
    edits: [
      ['runtime.timers.after(this.#timeoutMs, () => {', 'runtime.timers.after(Number.POSITIVE_INFINITY, () => {'],
    ],
  },
  {
    name: 'the queue is last in, first out',
    file: 'src/core/run/lane.ts',
    edits: [['a.order < b.order : enqueues(b);', 'a.order > b.order : enqueues(b);']],
  },
  // Invariant 8, nothing left.
  {
    name: 'the timeout of a run is not cleared',
    file: 'src/core/run/lifecycle.ts',
    edits: [['    this.runtime.timers.cancel(run.deadline);\n', '']],
  },
  {
    name: 'the listener on an upstream signal stays',
    file: 'src/core/run/lifecycle.ts',
    edits: [['if (signal !== undefined) this.#upstream.unlink(signal, run);', 'void signal;']],
  },
  {
    name: 'a run is quiet while a tool still runs',
    file: 'src/core/run/unwinding-run.ts',
    edits: [['|| resources.work.size > 0 ||', '||']],
  },
];
