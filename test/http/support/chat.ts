import {
  AbstractChat,
  type ChatState,
  type ChatStatus,
  DefaultChatTransport,
  lastAssistantMessageIsCompleteWithToolCalls,
  type UIMessage,
} from 'ai';

class State implements ChatState<UIMessage> {
  status: ChatStatus = 'ready';
  error: Error | undefined;
  messages: UIMessage[];
  constructor(messages: UIMessage[]) {
    this.messages = messages;
  }
  pushMessage = (message: UIMessage): void => {
    this.messages = [...this.messages, message];
  };
  popMessage = (): void => {
    this.messages = this.messages.slice(0, -1);
  };
  replaceMessage = (index: number, message: UIMessage): void => {
    this.messages = this.messages.with(index, message);
  };
  snapshot = <T>(thing: T): T => structuredClone(thing);
}

/** What `useChat` is without React. */
export class Page extends AbstractChat<UIMessage> {
  /** What `onFinish` and `onData` were told. */
  readonly told: string[];

  constructor(url: string, id: string, messages: UIMessage[] = [], token = 'ada') {
    const told: string[] = [];
    super({
      id,
      state: new State(messages),
      transport: new DefaultChatTransport({ api: `${url}/api/chat`, headers: { authorization: `Bearer ${token}` } }),
      sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
      onFinish: ({ isAbort, isDisconnect, isError }) => {
        told.push(isAbort ? 'abort' : isDisconnect ? 'disconnect' : isError ? 'error' : 'finish');
      },
      onData: ({ type }) => void told.push(type),
    });
    this.told = told;
  }

  /** The texts of the page, a line a message. */
  get shown(): string[] {
    return this.messages.map(
      ({ role, parts }) => `${role}: ${parts.map((part) => (part.type === 'text' ? part.text : '')).join('')}`,
    );
  }

  get parts(): { type: string; state?: string }[] {
    return (this.messages.at(-1)?.parts ?? []) as { type: string; state?: string }[];
  }
}
