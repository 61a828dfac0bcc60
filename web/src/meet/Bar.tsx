import { useLocalParticipantPermissions } from '@livekit/components-react';
import { Track } from 'livekit-client';
import { type Device, mediaDevices } from './access';
import { DeviceMenu } from './DeviceMenu';
import { Icon } from './Icon';
import { mayPublish } from './permissions';
import { Toggle } from './Toggle';
import type { RoomSession } from './useRoomSession';

interface Props {
  readonly session: RoomSession;
  readonly chatOpen: boolean;
  readonly unread: number;
  readonly onChat: () => void;
  readonly onTrouble: (device: Device, error: unknown) => void;
}

const canShareScreen = (): boolean => typeof mediaDevices()?.getDisplayMedia === 'function';

export function Bar({ session, chatOpen, unread, onChat, onTrouble }: Props) {
  const permissions = useLocalParticipantPermissions();
  const may = (source: Track.Source) => mayPublish(permissions, source);
  const { wanted } = session;
  return (
    <footer className="bar" role="toolbar" aria-label="Meeting controls">
      {may(Track.Source.Microphone) && (
        <div className="split">
          <Toggle
            source={Track.Source.Microphone}
            onWish={(on) => {
              wanted.microphone = on;
            }}
            onTrouble={onTrouble}
          />
          <DeviceMenu label="Microphone and speaker" kinds={['audioinput', 'audiooutput']} />
        </div>
      )}
      {may(Track.Source.Camera) && (
        <div className="split">
          <Toggle
            source={Track.Source.Camera}
            onWish={(on) => {
              wanted.camera = on;
            }}
            onTrouble={onTrouble}
          />
          <DeviceMenu label="Camera" kinds={['videoinput']} />
        </div>
      )}
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
