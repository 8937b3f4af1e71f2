import type { Mutant } from './mutant.js';

/** In the records, as the backend in memory keeps them. */
export const records: readonly Mutant[] = [
  // Invariant 2, one winner.
  {
    name: 'a retry runs again on another node',
    shownBy: 'test/core/backend/lost-answers.test.ts',
    file: 'src/core/backend/memory-claim.ts',
    edits: [
      [
        'if (known !== undefined && (known.isLive || known.generation !== request.repeats)) {',
        'if (known !== undefined && known.generation === 0) {',
      ],
    ],
  },
  {
    name: 'retention evicts the id of a live run',
    shownBy: 'test/core/backend/conformance-faulty.test.ts',
    file: 'src/core/backend/memory.ts',
    edits: [
      [
        'if (run?.isLive === false) this.#book.runs.delete(run.id);',
        'if (run !== undefined) this.#book.runs.delete(run.id);',
      ],
    ],
  },
  // Invariant 3, no reuse.
  {
    name: 'generations start anew when every session is forgotten',
    shownBy: 'test/core/backend/conformance-faulty.test.ts',
    file: 'src/core/backend/memory-book.ts',
    edits: [
      [
        '    this.records.rest(record);\n',
        '    this.records.rest(record);\n    if (this.records.busy.length === 0) this.#counter = 0;\n',
      ],
    ],
  },
  // Invariant 4, identity.
  {
    name: 'an end hits the run of the same id in another generation',
    shownBy: 'test/core/backend/conformance-faulty.test.ts',
    file: 'src/core/backend/memory-life.ts',
    edits: [
      [
        'const { sessionKey, status, report } = request;\n  const known = book.records.get(sessionKey);\n  book.begin(known, request.seen);\n  const run = runOf(book, sessionKey, request);\n',
        'const { sessionKey, status, report } = request;\n  const known = book.records.get(sessionKey);\n  book.begin(known, request.seen);\n  const run = book.runs.get(request.runId);\n',
      ],
    ],
  },
  {
    name: 'a node that leaves takes what it retained with it',
    shownBy: 'test/core/backend/memory-retained.test.ts',
    file: 'src/core/backend/memory.ts',
    edits: [['if (this.#nodes.size === 0) this.#book.dropEnded();', 'this.#book.dropEnded();']],
  },
  {
    name: 'a stop marks an older run beside it',
    shownBy: 'test/core/backend/conformance-faulty.test.ts',
    file: 'src/core/backend/memory-marks.ts',
    edits: [
      [
        '  run.mark(by);\n',
        '  run.mark(by);\n  for (const other of record.running.all()) if (other.generation < run.generation) mark(book, record, other, by);\n',
      ],
    ],
  },
  {
    name: 'the lock is freed by whoever names a token',
    shownBy: 'test/core/backend/conformance-faulty.test.ts',
    file: 'src/core/backend/memory-lock.ts',
    edits: [['if (this.holder?.token !== token) return false;', 'if (this.holder === undefined) return false;']],
  },
  // Invariant 5, authority first: a stop reaches what it is for.
  {
    name: 'an intent is not kept for the run to come',
    shownBy: 'test/core/backend/stops-at-awaits.test.ts',
    file: 'src/core/backend/memory-record.ts',
    edits: [['if (stop.intent) return stop.selector.runId === runId;', 'if (stop.intent) return false;']],
  },
  {
    name: 'a claim is not told of the intents of the list',
    shownBy: 'test/core/backend/conformance-faulty.test.ts',
    file: 'src/core/backend/memory-book.ts',
    edits: [
      [
        '.filter(({ intent, number, selector }) => intent === true &&',
        '.filter(({ intent, number, selector }) => !intent &&',
      ],
    ],
  },
  {
    name: 'a session stop is not kept for what other nodes have queued',
    shownBy: 'test/core/backend/conformance-faulty.test.ts',
    file: 'src/core/backend/memory-stop.ts',
    edits: [['(keep.intent || !isAlone || request.select !== undefined);', 'keep.intent;']],
  },
  {
    name: 'a queued run is not refused by a stop of its session that this node missed',
    shownBy: 'test/core/backend/stops-at-awaits.test.ts',
    file: 'src/core/backend/memory-record.ts',
    edits: [['return stop.nodeId !== nodeId && since !== undefined && stop.number > since;', 'return false;']],
  },
  // Invariant 7, the lock at the abort.
  {
    name: 'the epilogue runs after the grant of the successor',
    shownBy: 'test/core/backend/conformance-faulty.test.ts',
    file: 'src/core/backend/memory-grants.ts',
    edits: [
      [
        'const first = held?.reserved[0];',
        'const first = reserved === undefined ? undefined : held?.reservation(reserved);',
      ],
    ],
  },
];
