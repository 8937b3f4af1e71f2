import type { Mutant } from './mutant.js';

/** In one process: the fence, the cut, the queue, the lock, and what is left of a run. */
export const core: readonly Mutant[] = [
  // Invariant 1, the cut.
  {
    name: 'a fenced iterable delivers what was unread at the cut',
    shownBy: 'test/core/fence/counts.test.ts',
    file: 'src/core/fence/iterable.ts',
    edits: [['if (this.fence.run.current) {\n', 'if (this.fence !== undefined) {\n']],
  },
  {
    name: 'the last item of a fenced iterable is given again',
    shownBy: 'test/core/fence/gate-stream.test.ts',
    file: 'src/core/fence/iterable.ts',
    edits: [["    if (typeof ending === 'object') this.ending = 'end';\n    return ending;", '    return ending;']],
  },
  {
    name: 'a gate starts its function whether its run is current or not',
    shownBy: 'test/core/fence/gate-backend.test.ts',
    file: 'src/core/fence/gate.ts',
    edits: [
      ['    if (!this.run.current) {\n      this.closed(this.run.closedError());\n      return;\n    }\n', ''],
      ['if (stands && this.run.current) {', 'if (stands !== undefined) {'],
    ],
  },
  {
    name: "a gate does not look again after the backend's answer",
    shownBy: 'test/core/fence/gate-backend.test.ts',
    file: 'src/core/fence/gate.ts',
    edits: [['if (stands && this.run.current) {', 'if (stands) {']],
  },
  {
    name: 'a read under the lock goes on over the cut',
    shownBy: 'test/core/abort/interrupted.test.ts',
    file: 'src/core/fence/read.ts',
    edits: [['    run.watch(this);\n', '']],
  },
  {
    name: 'a run that waits for the run that it is asked for in waits for ever',
    shownBy: 'test/core/run/nesting.test.ts',
    file: 'src/core/run/nesting.ts',
    edits: [['(queueTimeoutMs ?? this.#selfWaitMs)', 'queueTimeoutMs']],
  },
  {
    name: "a gated generator does not look again after the backend's answer",
    shownBy: 'test/core/fence/gate-stream-backend.test.ts',
    file: 'src/core/fence/gate-stream.ts',
    edits: [
      ['if (stands && this.run.current && !this.isStopped) this.start(first);', 'if (stands) this.start(first);'],
    ],
  },
  {
    name: 'a gated generator is started without a check of the backend',
    shownBy: 'test/core/fence/gate-stream-backend.test.ts',
    file: 'src/core/fence/gate-stream.ts',
    edits: [['() => this.run.confirm(),', '() => true,']],
  },
  {
    name: "a commit does not look again after the backend's answer",
    shownBy: 'test/core/lock/late-answers.test.ts',
    file: 'src/core/lock/grant.ts',
    edits: [['if (isValid && this.isHeld()) {', 'if (isValid) {']],
  },
  {
    name: 'the signal is fired before the cut',
    shownBy: 'test/core/run/attach.test.ts',
    file: 'src/core/run/managed-run.ts',
    edits: [
      [
        'mark(stop: Stop): void {\n    this.current = false;\n    this.#endSuspension();\n    this.stop = stop;\n',
        'mark(stop: Stop): void {\n    this.stop = stop;\n    this.fire();\n    this.current = false;\n    this.#endSuspension();\n',
      ],
    ],
  },
  {
    name: 'the signal of one run is fired before the next is cut',
    shownBy: 'test/core/abort/hostile-objects.test.ts',
    file: 'src/core/abort/cut.ts',
    edits: [['    entry.mark(stop);\n', '    entry.mark(stop);\n    entry.fire();\n']],
  },
  {
    name: 'children are not cut',
    shownBy: 'test/core/abort/interrupted.test.ts',
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
    shownBy: 'test/core/run/forms.test.ts',
    file: 'src/core/run/perform.ts',
    edits: [['  if (!run.current) {\n    run.unwound();\n    return;\n  }\n', '']],
  },
  // Invariant 2, one winner.
  {
    name: 'the first terminal result is overwritten',
    shownBy: 'test/core/run/attach.test.ts',
    file: 'src/core/run/managed-run.ts',
    edits: [["const wins = this.status === 'running';", "const wins = this.status !== 'queued';"]],
  },
  {
    name: 'a takeover leaves queued runs in the queue',
    shownBy: 'test/core/run/admission.test.ts',
    file: 'src/core/run/takeovers.ts',
    edits: [
      [
        'const rivals = takesOver ? this.#queue().neighbours.predecessors(run) : NOTHING;',
        "const rivals = takesOver ? this.#queue().neighbours.predecessors(run).filter(({ status }) => status !== 'queued') : NOTHING;",
      ],
    ],
  },
  {
    name: 'a takeover cuts what began after it',
    shownBy: 'test/core/abort/interrupted.test.ts',
    file: 'src/core/run/takeovers.ts',
    edits: [
      [
        'const rivals = takesOver ? this.#queue().neighbours.predecessors(run) : NOTHING;',
        'const rivals = takesOver ? this.#queue().neighbours.rivals(run) : NOTHING;',
      ],
    ],
  },
  {
    name: 'what began after a takeover stands in its way',
    shownBy: 'test/core/backend/slow-nodes.test.ts',
    file: 'src/core/run/takeovers.ts',
    edits: [['neighbours.successors(run)', 'neighbours.successors(run).slice(0, 0)']],
  },
  {
    name: 'a retry runs again where the first run is known',
    shownBy: 'test/core/run/children.test.ts',
    file: 'src/core/run/admission.ts',
    edits: [
      ['if (known !== undefined && known !== repeated) return this.#duplicates.ofLocal(known, spec);', 'void known;'],
    ],
  },
  {
    name: 'the fingerprint of a retry is not compared',
    shownBy: 'test/core/run/duplicates.test.ts',
    file: 'src/core/run/duplicates.ts',
    edits: [['      !contradicts &&\n', '      (contradicts || !contradicts) &&\n']],
  },
  // Invariant 4, identity.
  {
    name: 'an ended entry is removed by its id, whoever has it now',
    shownBy: 'test/core/abort/entry-index.test.ts',
    file: 'src/core/abort/entry-index.ts',
    edits: [['    if (newest === entry) {\n', '    if (newest !== undefined) {\n']],
  },
  // Invariant 5, authority first.
  {
    name: 'an abort does not ask for the owner',
    shownBy: 'test/core/abort/broken-clock.test.ts',
    file: 'src/core/abort/registry.ts',
    edits: [["if (!this.runtime.authority.may('abort', requester, entry)) {", 'if (requester === null) {']],
  },
  {
    name: 'a takeover does not ask for the owner',
    shownBy: 'test/core/run/admission.test.ts',
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
    shownBy: 'test/core/run/data.test.ts',
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
    shownBy: 'test/core/internal/errors.test.ts',
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
    shownBy: 'test/core/abort/abort.test.ts',
    file: 'src/core/abort/stop.ts',
    edits: [['this.#error === undefined || this.#sessionKey !== sessionKey', 'this.#error === undefined']],
  },
  {
    name: 'a child does not inherit its owner',
    shownBy: 'test/core/run/children.test.ts',
    file: 'src/core/run/options.ts',
    edits: [['inherited), owner },', 'inherited), owner: owner && undefined },']],
  },
  {
    name: 'a stop that was recorded by a stranger ends a run to come',
    shownBy: 'test/core/run/intents-by-id.test.ts',
    file: 'src/core/run/claims.ts',
    edits: [["authority.may('abort', requester, run)", "authority.may('abort', undefined && requester, run)"]],
  },
  // Invariant 6, projection first.
  {
    name: 'projections change after the event',
    shownBy: 'test/core/run/growth.test.ts',
    file: 'src/core/run/managed-run.ts',
    edits: [
      ["    this.status = isAtOnce && this.resources === undefined ? 'aborted' : 'stopping';\n", ''],
      [
        '    announceAborted(this);\n',
        "    announceAborted(this);\n    this.status = this.isDecided && this.resources === undefined ? 'aborted' : 'stopping';\n",
      ],
    ],
  },
  // Invariant 7, the lock at the abort.
  {
    name: 'the lock is released on timeouts only',
    shownBy: 'test/core/run/saved-event.test.ts',
    file: 'src/core/run/managed-run.ts',
    edits: [['this.revokeGrants(false);', "if (this.reason === 'timeout') this.revokeGrants(false);"]],
  },
  {
    name: 'the lock is handed over under a critical section',
    shownBy: 'test/core/lock/epilogue-nodes.test.ts',
    file: 'src/core/lock/grant.ts',
    edits: [
      [
        '    if (!this.#isWriting) {\n      this.#over();\n      return;\n    }\n    this.#state',
        "    if (this.#state === 'held') {\n      this.#over();\n      return;\n    }\n    this.#state",
      ],
    ],
  },
  {
    name: 'who waits for the lock is served before the epilogue',
    shownBy: 'test/core/lock/epilogue-failures.test.ts',
    file: 'src/core/lock/queue.ts',
    edits: [
      [
        'return this.#epilogues.next() ?? (this.#epilogues.isEmpty ? this.#waiters.first : undefined);',
        'return this.#waiters.first ?? this.#epilogues.next();',
      ],
    ],
  },
  {
    name: 'an epilogue has no time limit',
    shownBy: 'test/core/lock/epilogue-failures.test.ts',
    file: 'src/core/lock/epilogue.ts',
    edits: [
      ['runtime.timers.after(this.#timeoutMs, () => {', 'runtime.timers.after(Number.POSITIVE_INFINITY, () => {'],
    ],
  },
  {
    name: 'the queue is last in, first out',
    shownBy: 'test/core/run/growth.test.ts',
    file: 'src/core/run/lane.ts',
    edits: [
      ['const { first } = this.#line;', 'const { last: first } = this.#line;'],
      ['function isInTheWay({ first }: Line,', 'function isInTheWay({ last: first }: Line,'],
      ['first.run.order < run.order && !waits', 'first.run.order > run.order && !waits'],
    ],
  },
  // Invariant 8, nothing left.
  {
    name: 'the timeout of a run is not cleared',
    shownBy: 'test/core/run/stream-last-item.test.ts',
    file: 'src/core/run/lifecycle.ts',
    edits: [['    this.runtime.timers.cancel(run.deadline);\n', '']],
  },
  {
    name: 'the listener on an upstream signal stays',
    shownBy: 'test/core/backend/conformance-faulty.test.ts',
    file: 'src/core/run/lifecycle.ts',
    edits: [['if (signal !== undefined) this.runtime.signals.unlink(signal, run);', 'void signal;']],
  },
  {
    name: 'a run is quiet while a tool still runs',
    shownBy: 'test/core/run/saved-event.test.ts',
    file: 'src/core/run/unwinding-run.ts',
    edits: [['|| resources.work.size > 0 ||', '||']],
  },
  // What is told, and what is not.
  {
    name: 'a connection that the other side has reset is taken for one that the stop has destroyed',
    shownBy: 'test/core/run/errors-of-a-stop.test.ts',
    file: 'src/core/stop/late-error.ts',
    edits: [['DESTROYED.has(code) && syscall === undefined', 'DESTROYED.has(code) && syscall !== null']],
  },
  {
    name: 'a connection that broke is taken for the stop although nobody had the signal',
    shownBy: 'test/core/run/errors-of-a-stop.test.ts',
    file: 'src/core/run/unwinding-run.ts',
    edits: [['isTold || this.wasTold', 'isTold || this.wasTold !== undefined']],
  },
  {
    name: 'one failure in an aggregate of aborts is kept from onError',
    shownBy: 'test/core/run/errors-of-a-stop.test.ts',
    file: 'src/core/stop/late-error.ts',
    edits: [['if (!look(part)) return false;', 'if (look(part)) return true;']],
  },
  {
    name: 'a snapshot shows the keys of sessions',
    shownBy: 'test/core/inspect.test.ts',
    file: 'src/core/inspect.ts',
    edits: [['return this.#reveal ? name : hashOf(name);', 'return name;']],
  },
];
