import { formatChatMessageLinks, type ReceivedChatMessage } from '@livekit/components-react';
import { nameOf } from './people';

interface Props {
  readonly message: ReceivedChatMessage;
  readonly before: ReceivedChatMessage | undefined;
}

const TOGETHER_MS = 120_000;

export function ChatEntry({ message, before }: Props) {
  const { from, timestamp } = message;
  const follows =
    before?.from?.identity === from?.identity && timestamp - (before?.timestamp ?? 0) < TOGETHER_MS;
  const time = new Date(timestamp);
  return (
    <li className="chat-entry" data-testid="chat-message" data-local={from?.isLocal || undefined}>
      {!follows && (
        <p className="chat-who">
          <strong>{from?.isLocal ? 'You' : from ? nameOf(from) : 'Unknown'}</strong>
          <time dateTime={time.toISOString()}>
            {time.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })}
          </time>
        </p>
      )}
      <p className="chat-text">{formatChatMessageLinks(message.message)}</p>
    </li>
  );
}
