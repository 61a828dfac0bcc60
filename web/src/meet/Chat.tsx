import { useChat, useLocalParticipantPermissions } from '@livekit/components-react';
import { useEffect, useRef, useState } from 'react';
import { ChatEntry } from './ChatEntry';
import { ChatForm } from './ChatForm';
import { Icon } from '../shared/Icon';

interface Props {
  readonly open: boolean;
  readonly onClose: () => void;
  readonly onUnread: (count: number) => void;
}

/** Mounted also while closed, because messages that come then must not be lost. */
export function Chat({ open, onClose, onUnread }: Props) {
  const { chatMessages, send, isSending } = useChat();
  const permissions = useLocalParticipantPermissions();
  const [read, setRead] = useState(0);
  const end = useRef<HTMLLIElement>(null);
  const count = chatMessages.length;
  useEffect(() => {
    if (open) {
      setRead(count);
      end.current?.scrollIntoView({ block: 'end' });
    }
  }, [open, count]);
  const unread = open ? 0 : chatMessages.slice(read).filter((message) => !message.from?.isLocal).length;
  useEffect(() => onUnread(unread), [unread, onUnread]);
  if (!open) return null;
  return (
    <aside className="chat" aria-label="Chat">
      <header className="chat-head">
        <h2>Chat</h2>
        <button type="button" className="plain" aria-label="Close chat" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <ol className="chat-list" aria-live="polite">
        {count === 0 && (
          <li className="chat-empty">Messages are seen by everyone here now, and are not kept.</li>
        )}
        {chatMessages.map((message, index) => (
          <ChatEntry key={message.id} message={message} before={chatMessages[index - 1]} />
        ))}
        <li ref={end} className="chat-end" aria-hidden="true" />
      </ol>
      {permissions?.canPublishData ? (
        <ChatForm sending={isSending} onSend={send} />
      ) : (
        <p className="chat-closed">You can read the chat, but not write.</p>
      )}
    </aside>
  );
}
