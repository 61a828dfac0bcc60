import { type SyntheticEvent, useEffect, useRef, useState } from 'react';
import { Icon } from '../shared/Icon';

interface Props {
  readonly sending: boolean;
  readonly onSend: (text: string) => Promise<unknown>;
}

export function ChatForm({ sending, onSend }: Props) {
  const [text, setText] = useState('');
  const [failed, setFailed] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const submit = async (event: SyntheticEvent) => {
    event.preventDefault();
    const message = text.trim();
    if (!message || sending) return;
    try {
      await onSend(message);
      setText('');
      setFailed(false);
    } catch {
      setFailed(true);
    }
  };
  return (
    <form className="chat-form" onSubmit={(event) => void submit(event)}>
      {failed && <p role="alert">Not sent. Try again.</p>}
      <input
        ref={input}
        data-testid="chat-input"
        value={text}
        onChange={(event) => setText(event.target.value)}
        placeholder="Write to everyone"
        aria-label="Message"
        autoComplete="off"
        maxLength={2000}
      />
      <button type="submit" className="plain" aria-label="Send" disabled={!text.trim() || sending}>
        <Icon name="send" />
      </button>
    </form>
  );
}
