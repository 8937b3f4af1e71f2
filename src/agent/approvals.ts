import type { ReadOptions, Run, RunControl } from '../index.js';
import type { RunStreams } from '../streams/index.js';
import type { Decision } from './agent.js';
import type { AgentEvent, Call } from './event.js';
import { digestOf, frozenCopy } from './json.js';

/** A question for approval that is open. */
export interface OpenApproval extends Call {
  /** What an answer names. Random, and good for one answer. */
  readonly approvalId: string;
  /** The run that asks. */
  readonly runId: string;
  /** Its generation: the same question of a retry is another one. */
  readonly generation: number;
}

/** What became of an answer. `stale`: there is no such question that the requester may answer, or not any more. */
export interface AnswerResult {
  /** What became of it. */
  readonly status: 'accepted' | 'stale';
}

interface Question {
  readonly shown: OpenApproval;
  readonly run: Run;
  /** As the agent has it: it may change after it was shown. */
  readonly call: Call;
  readonly digest: string;
  readonly resolve: (decision: Decision) => void;
  readonly reject: (error: unknown) => void;
}

/** The questions for approval that wait for a person. A stop voids those of its run, in its tick. */
export class Approvals {
  readonly #control: RunControl;
  readonly #streams: RunStreams<AgentEvent>;
  readonly #open = new Map<string, Question>();

  constructor(control: RunControl, streams: RunStreams<AgentEvent>) {
    this.#control = control;
    this.#streams = streams;
  }

  ask(run: Run, call: Call): Promise<Decision> {
    const asked = new Promise<Decision>((resolve, reject) => {
      run.throwIfStale();
      const { callId, name } = call;
      const input = frozenCopy('the input of a call', call.input ?? null);
      const approvalId = crypto.randomUUID();
      const shown = { approvalId, runId: run.id, generation: run.generation, callId, name, input };
      this.#open.set(approvalId, { shown, run, call, digest: digestOf(input), resolve, reject });
      const isPublished = this.#streams.publish(run, { type: 'approval', approvalId, callId, name, input });
      if (isPublished !== undefined) return;
      this.#open.delete(approvalId);
      run.throwIfStale();
    });
    // An agent that has given up waiting hears nothing of the stop, and no process ends of it.
    asked.catch(() => {});
    return asked;
  }

  answer(approvalId: string, { approved, note }: Decision, options: ReadOptions): AnswerResult {
    const question = this.#open.get(approvalId);
    if (question === undefined || !this.#may('answer', question.run, options)) return STALE;
    // Stopped a moment ago, and not voided yet. A run whose node is not sure of its lease is asked all the same.
    if (question.run.status !== 'running') return STALE;
    this.#open.delete(approvalId);
    // The word was for what was shown.
    const isSame = digestOf(question.call.input ?? null) === question.digest;
    const noted = note === undefined ? {} : { note };
    question.resolve(isSame ? { approved, ...noted } : { approved: false, note: CHANGED });
    return isSame || !approved ? ACCEPTED : STALE;
  }

  /** Those of a session that a requester may read, oldest first. */
  of(sessionKey: string, options: ReadOptions): OpenApproval[] {
    return [...this.#open.values()]
      .filter(({ run }) => run.sessionKey === sessionKey && run.status === 'running' && this.#may('read', run, options))
      .map(({ shown }) => shown);
  }

  /** Its run is over: its questions are answered by that. */
  void(runId: string, generation: number): void {
    for (const [approvalId, { shown, run, reject }] of this.#open) {
      if (shown.runId !== runId || shown.generation !== generation) continue;
      this.#open.delete(approvalId);
      try {
        run.throwIfStale();
      } catch (error) {
        reject(error);
      }
    }
  }

  #may(action: 'answer' | 'read', { id: runId, sessionKey, kind, owner }: Run, options: ReadOptions): boolean {
    return this.#control.may(action, { runId, sessionKey, kind, owner }, options);
  }
}

const STALE: AnswerResult = Object.freeze({ status: 'stale' });
const ACCEPTED: AnswerResult = Object.freeze({ status: 'accepted' });
const CHANGED = 'The call has changed since it was shown.';
