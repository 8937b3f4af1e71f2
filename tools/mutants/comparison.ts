import type { Mutant } from './mutant.js';

/** What a node reads off the records of the others: one rule of the comparison at a time is wrong. */
export const comparison: readonly Mutant[] = [
  // A run, and what the record says of it.
  {
    name: 'a stop in the record does not cut',
    shownBy: 'test/core/ledger/left-behind.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [["if (run.stage === 'running') this.#host.cut([run], causeOf(there));", '']],
  },
  {
    name: 'a notice of a stop hits a later generation',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['const there = stored?.generation === run.generation ? stored : undefined;', 'const there = stored;']],
  },
  {
    name: 'a run that the record does not have goes on',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [["if (run.stage === 'running') this.#host.cut([run], lost);", '']],
  },
  {
    name: 'a record from before a run is believed',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['if (there === undefined && record.version < run.generation) return;', 'void record;']],
  },
  {
    name: 'how a run ended that the record does not have is not asked',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['if (!run.isDecided && !view.ending.has(run)) this.#debts.askOutcome(view, run);', '']],
  },
  {
    name: 'a cut that the record does not show is not marked again',
    shownBy: 'test/core/lock/epilogue-backends.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['if (run.hasStarted) this.#debts.mark(view, run);', 'if (run.hasStarted) return;']],
  },
  {
    name: 'an end that was lost is not sent again',
    shownBy: 'test/core/run/retention.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [["if (run.stage === 'ending' && !view.ending.has(run)) this.#debts.end(view, run);", '']],
  },
  {
    name: 'the end of a run that has unwound is not sent again',
    shownBy: 'test/core/ledger/left-behind.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [["} else if (run.stage === 'settled' && !view.ending.has(run)) {", "} else if (run.stage === 'queued') {"]],
  },
  {
    name: 'a second end is sent while one is on its way',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/end-requests.ts',
    edits: [['    if (view.ending.has(run)) return;\n', '']],
  },
  {
    name: 'an epilogue that the record does not know of is not announced again',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['if (isUnannounced && !view.announcing.has(run)) this.#debts.announce(view, run);', '']],
  },
  // What the record has under the name of this node, and nothing here knows of.
  {
    name: 'a claim that was given up stays in the record',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [
      [
        '      if (!view.asking.has(there.runId)) this.#debts.endUnknown(view, there);\n      return;\n',
        '      return;\n',
      ],
    ],
  },
  {
    name: 'the late answer to a claim that was given up leaves its run in the record',
    shownBy: 'test/core/backend/lost-answers.test.ts',
    file: 'src/core/ledger/shared/claim-requests.ts',
    edits: [
      [
        'else this.#ends.endUnknown(view, { runId: candidate.run.id, generation: answer.generation, reason: undefined });',
        '',
      ],
    ],
  },
  {
    name: 'a claim on its way is taken for one that was given up',
    shownBy: 'test/core/ledger/left-behind.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [
      [
        "if (run.stage === 'queued' || isClaiming(view, there.runId)) {",
        "if (run.stage === 'queued' && view.claiming.size < 0) {",
      ],
    ],
  },
  {
    name: 'an older record gives back what has come since',
    shownBy: 'test/core/ledger/left-behind.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['  return version >= seen;\n', '  return version > 0 || seen > 0;\n']],
  },
  // The lock.
  {
    name: 'a grant that the record does not have stays held',
    shownBy: 'test/core/ledger/suspended.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['locks.lost(token);', 'void token;']],
  },
  {
    name: 'a grant whose answer was lost is not given back',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['if (holder?.nodeId === this.#nodeId) this.#returnUnknown(view, holder, locks);', '']],
  },
  {
    name: 'a question for the lock on its way is taken for one that was given up',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['    if (view.locking.size > 0) {\n      view.hasDeferred = true;\n      return;\n    }\n', '']],
  },
  {
    name: 'a token that the backend has taken back is owed for ever',
    shownBy: 'test/core/lock/session-lock-backends.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['locks.returned(token);', 'void token;']],
  },
  {
    name: 'the place of an epilogue that nobody here has keeps the lock',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [
      [
        'if (nodeId === this.#nodeId && isNewest(view, record)) this.#debts.unlockUnknown(view, token, runId);',
        'void [nodeId, token, runId];',
      ],
      [
        'isClaiming(view, runId)) view.hasDeferred = true;\n      else this.#debts.unlockUnknown(view, token, runId);',
        'isClaiming(view, runId)) view.hasDeferred = true;',
      ],
    ],
  },
  {
    name: 'an epilogue that came too late is not skipped',
    shownBy: 'test/core/backend/remote-receipts.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['due.tokenKnown(undefined);', '']],
  },
  {
    name: 'an epilogue is skipped before the record was asked for its place',
    shownBy: 'test/core/lock/epilogue-nodes.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [
      [
        '        if (!view.announcing.has(run)) this.#debts.announce(view, run);\n',
        '        due.tokenKnown(undefined);\n',
      ],
    ],
  },
  // Stops that other nodes have kept.
  {
    name: 'a recorded stop does not hit what was queued before it',
    shownBy: 'test/core/backend/stops-at-awaits.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [
      [
        "if (hit !== undefined) this.#host.cut([run], { ...hit, supersededBy: undefined, record: 'untold' });",
        'void hit;',
      ],
    ],
  },
  {
    name: 'a recorded stop hits what was queued after it',
    shownBy: 'test/core/backend/missed-notices.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['stop.number > after && this.#hits(stop, run)', 'this.#hits(stop, run)']],
  },
  {
    name: 'a recorded stop of a stranger hits a queued run',
    shownBy: 'test/core/abort/receipt.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['matches(selector, run) && this.#host.mayStop(requester, run);', 'matches(selector, run);']],
  },
  {
    name: 'an intent hits a run that is queued',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/reconcile.ts',
    edits: [['nodeId !== this.#nodeId && !intent &&', 'nodeId !== this.#nodeId && (intent || !intent) &&']],
  },
  {
    name: 'a listed stop hits what was begun after it',
    shownBy: 'test/core/backend/stops-at-awaits.test.ts',
    file: 'src/core/ledger/shared/listed-stops.ts',
    edits: [['return number > since &&', 'return number > 0 &&']],
  },
  {
    name: 'an intent of the list does not hit what was claimed while it was on its way',
    shownBy: 'test/core/backend/intents-on-their-way.test.ts',
    file: 'src/core/ledger/shared/listed-stops.ts',
    edits: [['?? this.#intents.get(run.id)?.find(hits);', ';']],
  },
  {
    name: 'a claim overtakes an intent by id alone that its own node has sent',
    shownBy: 'test/core/backend/intents-on-their-way.test.ts',
    file: 'src/core/ledger/shared/shared-ledger.ts',
    edits: [['    if (pending !== undefined) return pending.then(() => this.claim(candidate));\n', '']],
  },
  {
    name: 'an intent by id alone that is answered late leaves what has begun here alone',
    shownBy: 'test/core/backend/intents-on-their-way.test.ts',
    file: 'src/core/ledger/shared/intents.ts',
    edits: [['if (run !== undefined && isLive(run) &&', 'if (run !== undefined && !isLive(run) &&']],
  },
  {
    name: 'an intent by id alone does not look for what began while it was on its way',
    shownBy: 'test/core/backend/intents-on-their-way.test.ts',
    file: 'src/core/run/stops-elsewhere.ts',
    edits: [['() => this.stopFound(),\n        (error)', '() => undefined,\n        (error)']],
  },
  {
    name: 'what other nodes have is read before the stop is kept',
    shownBy: 'test/core/backend/stops-at-awaits.test.ts',
    file: 'src/core/run/stop-sender.ts',
    edits: [['answers.push(chain(sent, () => others.stopFound()));', 'answers.push(others.stopFound());']],
  },
  {
    name: 'a listed stop does not hit a queued run',
    shownBy: 'test/core/backend/stops-at-awaits.test.ts',
    file: 'src/core/ledger/shared/listed-stops.ts',
    edits: [["if (run.stage === 'queued' && listSince !== undefined) this.#judge(run, listSince);", '']],
  },
  {
    name: 'a listed stop is not held against a run that was granted behind it',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/claim-requests.ts',
    edits: [['    this.#sending.records.judgeListed(view);\n', '']],
  },
  {
    name: 'a stop that a failover has lost is not sent again',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/shared-ledger.ts',
    edits: [['        this.#stops.resend(view);\n', '']],
  },
  // When the records are read.
  {
    name: 'a gap does not look for stops that were missed',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/records.ts',
    edits: [
      [
        '    this.#readNode();\n    for (const sessionKey of new Set([...this.#views.keys(), ...this.#host.sessionKeys()])) {\n      void this.look(this.view(sessionKey));\n    }\n',
        '',
      ],
    ],
  },
  {
    name: 'a gap does not ask what the records have under the name of this node',
    shownBy: 'test/core/backend/stale.test.ts',
    file: 'src/core/ledger/shared/records.ts',
    edits: [['    void this.readList();\n    this.#readNode();\n', '    void this.readList();\n']],
  },
  {
    name: 'a gap does not read the list of stops for all nodes',
    shownBy: 'test/core/backend/stops-at-awaits.test.ts',
    file: 'src/core/ledger/shared/records.ts',
    edits: [['    void this.readList();\n    this.#readNode();\n', '    this.#readNode();\n']],
  },
  {
    name: 'nobody reads the record of which something was not answered',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/records.ts',
    edits: [
      ['    this.lookLater(view);\n    if (name !== undefined && view.told', '    if (name !== undefined && view.told'],
    ],
  },
  {
    name: 'what was lost while the record was read is not looked for again',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/records.ts',
    edits: [['if (view.mustLook) this.lookLater(view);', '']],
  },
  {
    name: 'what was left to an answer without a record is not compared',
    shownBy: 'test/core/ledger/compared.test.ts',
    file: 'src/core/ledger/shared/records.ts',
    edits: [['if (view.hasDeferred && !view.isLooking && !this.#isFresh(view)) void this.look(view);', '']],
  },
  // The lease.
  {
    name: 'a run goes on past its lease',
    shownBy: 'test/core/ledger/suspended.test.ts',
    file: 'src/core/ledger/shared/lease.ts',
    edits: [['      this.#host.suspend();\n', '']],
  },
  {
    name: 'the deadline of the lease closes nothing before its timer',
    shownBy: 'test/core/ledger/suspended.test.ts',
    file: 'src/core/ledger/shared/lease.ts',
    edits: [['(this.#suspicion === undefined && this.#client.isAlive);', 'this.#suspicion === undefined;']],
  },
  {
    name: 'a node that was renewed opens before it has read the records',
    shownBy: 'test/core/ledger/suspended.test.ts',
    file: 'src/core/ledger/shared/lease.ts',
    edits: [
      ['if (this.#suspicion !== undefined) void this.#read();', 'if (this.#suspicion !== undefined) this.#open();'],
    ],
  },
  {
    name: 'a lease that is lost is not compared with the records first',
    shownBy: 'test/core/ledger/suspended.test.ts',
    file: 'src/core/ledger/shared/shared-ledger.ts',
    edits: [['await this.#records.readAll();\n    for (const key of keys) {', 'true;\n    for (const key of keys) {']],
  },
  {
    name: 'an outcome that the record was not heard about is said to be confirmed',
    shownBy: 'test/core/ledger/confirmed.test.ts',
    file: 'src/core/run/decision.ts',
    edits: [
      [
        "if (isOver && run.ledger.isShared) this.#word = this.#word === 'unheard' ? 'presumed' : 'unknown';",
        'void isOver;',
      ],
    ],
  },
  {
    name: 'a run whose effects were refused while its node was suspect goes on',
    shownBy: 'test/core/ledger/suspended.test.ts',
    file: 'src/core/run/managed-run.ts',
    edits: [
      [
        "if (this.#hasHole) this.host.cut(this, 'heartbeat-lost');\n    this.#suspension = undefined;",
        'this.#suspension = undefined;',
      ],
    ],
  },
];
