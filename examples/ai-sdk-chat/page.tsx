import { useChat } from '@ai-sdk/react';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';

const id = location.pathname.split('/').at(-1) ?? '';
const loaded = await (await fetch(`/api/chat/${id}/messages`)).json();

/** Stops the answer, in every tab. The `stop` of `useChat` only closes the connection of this one. */
const stop = () => fetch(`/api/chat/${id}/stop`, { method: 'POST' });

function Page() {
  const { messages, sendMessage, status, error } = useChat({ id, messages: loaded, resume: true });
  const [text, setText] = useState('');
  return (
    <>
      <ul>
        {messages.map(({ id, role, parts }) => (
          <li key={id}>
            {role}: {parts.map((part) => (part.type === 'text' ? part.text : '')).join('')}
          </li>
        ))}
      </ul>
      <p role="status">{error ? `error: ${error.message}` : status}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setText('');
          void sendMessage({ text }); // takes over from the answer that is under way, if there is one
        }}
      >
        <input aria-label="Message" value={text} onChange={(event) => setText(event.target.value)} />
        <button type="submit">Send</button>
        <button type="button" onClick={() => void stop()}>
          Stop
        </button>
      </form>
    </>
  );
}

createRoot(document.getElementById('chat') as HTMLElement).render(<Page />);
