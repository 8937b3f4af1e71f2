import type { AgentEvent, Call, Finish } from '../../agent/index.js';

/** What a protocol must know of a turn beside its text: the calls that have no result, and how it ended. */
export class TurnState {
  /** By call, in their order. Those that are left when a turn ends with `client-tools` are the client's to run. */
  readonly openCalls: Map<string, Call> = new Map();
  /** Calls that wait for a person's word. */
  readonly asked: Set<string> = new Set();
  finish: Finish | undefined;
  /** What those who watch may know of the error. */
  error: string | undefined;

  see(event: AgentEvent): void {
    switch (event.type) {
      case 'approval':
        this.asked.add(event.callId);
        return;
      case 'tool-start':
        this.asked.delete(event.callId);
        this.openCalls.set(event.callId, { callId: event.callId, name: event.name, input: event.input });
        return;
      case 'tool-end':
        this.asked.delete(event.callId);
        this.openCalls.delete(event.callId);
        return;
      case 'finish':
        this.finish = event;
        return;
      case 'error':
        this.error = event.message;
        return;
      default:
    }
  }

  /** The calls that the client is to run. */
  get clientCalls(): readonly Call[] {
    return this.finish?.reason === 'client-tools' ? [...this.openCalls.values()] : [];
  }
}
