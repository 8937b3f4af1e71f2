import type { AgentEvent } from '../../agent/index.js';
import type { StreamItem } from '../../streams/index.js';
import { clientGone } from '../../transport/index.js';
import { answerOfEnding, type Ending, endingOf } from './ending.js';
import { TurnState } from './turn-state.js';
import type { Viewer } from './viewer.js';

/** All that a turn has said, for an answer in one piece. */
export class Answer {
  readonly state: TurnState = new TurnState();
  text = '';
  reasoning = '';
  ending: Ending | undefined;

  add(item: StreamItem<AgentEvent>): void {
    if (item.type === 'event') {
      const { event } = item;
      if (event.type === 'text') this.text += event.text;
      else if (event.type === 'reasoning') this.reasoning += event.text;
      else this.state.see(event);
    }
    this.ending ??= endingOf(item, this.state);
  }
}

/**
 * Waits for the whole answer.
 *
 * @throws the answer to the client if the run was stopped, has failed, or its client has left
 */
export async function wholeAnswer(viewer: Viewer): Promise<Answer> {
  const answer = new Answer();
  try {
    while (answer.ending === undefined) {
      const item = await viewer.next();
      if (item === undefined) throw clientGone();
      answer.add(item);
    }
  } finally {
    viewer.leave();
  }
  if (answer.ending.kind !== 'completed') throw answerOfEnding(viewer.runId, answer.ending);
  return answer;
}
