import type { AgentEvent, AgentRunner, Finish } from '../agent/index.js';

/** All that a run has said by its end. */
export interface Ending {
  /** Empty too if a part of it is not there any more. */
  readonly text: string;
  readonly finish: Finish | undefined;
  /** What those who watch may know of its error. */
  readonly message: string | undefined;
}

const NOTHING: Ending = Object.freeze({ text: '', finish: undefined, message: undefined });
/** So many are kept: all who follow a run come to its end at about the same time. */
const MOST = 64;

/**
 * What runs have said by their end, read once for all who follow them: a client that resumes has not had the beginning, and
 * nobody has to remember it while it goes on.
 */
export class Endings {
  readonly #runner: AgentRunner;
  readonly #known = new Map<string, Promise<Ending>>();

  constructor(runner: AgentRunner) {
    this.#runner = runner;
  }

  /** For a run that was cut or is over. It never rejects. */
  of(runId: string, generation: number): Promise<Ending> {
    const key = `${generation}:${runId}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const ending = this.#read(runId, generation).catch((error: unknown) => {
      this.#runner.control.onError(error, { sessionKey: undefined, runId });
      return NOTHING;
    });
    this.#known.set(key, ending);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST && oldest !== undefined) this.#known.delete(oldest);
    return ending;
  }

  async #read(runId: string, generation: number): Promise<Ending> {
    const items = this.#runner.streams.subscribe(runId);
    if (items === undefined) return NOTHING;
    let text = '';
    let finish: Finish | undefined;
    let message: string | undefined;
    let hasGap = false;
    for await (const item of items) {
      if (item.type === 'cut' || item.type === 'end') break;
      // It was repeated under its id in the meantime: what follows is not of this one.
      if (item.generation !== generation) return NOTHING;
      // The rest is not the whole of it.
      hasGap ||= item.type === 'gap';
      if (item.type !== 'event') continue;
      const event: AgentEvent = item.event;
      if (event.type === 'text') text += event.text;
      else if (event.type === 'finish') finish = finishOf(event);
      else if (event.type === 'error') message = event.message;
    }
    return { text: hasGap ? '' : text, finish, message };
  }
}

function finishOf({ reason, usage }: Finish): Finish {
  return usage === undefined ? { reason } : { reason, usage };
}
