import { useLocalParticipantPermissions } from '@livekit/components-react';
import { Track } from 'livekit-client';
import { canShareScreen, type Device } from '../devices/access';
import { MediaToggles } from '../devices/MediaToggles';
import { Toggle } from '../devices/Toggle';
import type { RoomSession } from '../devices/useRoomSession';
import { Icon } from '../shared/Icon';
import { mayPublish } from './permissions';

interface Props {
  readonly session: RoomSession;
  readonly chatOpen: boolean;
  readonly unread: number;
  readonly onChat: () => void;
  readonly onTrouble: (device: Device, error: unknown) => void;
}

export function Bar({ session, chatOpen, unread, onChat, onTrouble }: Props) {
  const permissions = useLocalParticipantPermissions();
  const may = (source: Track.Source) => mayPublish(permissions, source);
  return (
    <footer className="bar" role="toolbar" aria-label="Meeting controls">
      <MediaToggles wanted={session.wanted} listens may={may} onTrouble={onTrouble} />
      {may(Track.Source.ScreenShare) && canShareScreen() && (
        <Toggle source={Track.Source.ScreenShare} onTrouble={onTrouble} />
      )}
      <button
        type="button"
        className="round"
        data-testid="toggle-chat"
        data-unread={unread}
        aria-pressed={chatOpen}
        aria-label={unread > 0 ? `Chat, ${unread} unread` : 'Chat'}
        title="Chat"
        onClick={onChat}
      >
        <Icon name="chat" />
        {unread > 0 && <span className="unread">{unread > 99 ? '99+' : unread}</span>}
      </button>
      <button
        type="button"
        className="round leave"
        data-testid="leave"
        aria-label="Leave"
        onClick={session.leave}
      >
        <Icon name="leave" />
        <span>Leave</span>
      </button>
    </footer>
  );
}
