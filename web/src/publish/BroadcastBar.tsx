import { useMediaDeviceSelect, useRoomContext } from '@livekit/components-react';
import { facingModeFromLocalTrack, LocalVideoTrack, Track } from 'livekit-client';
import { useState } from 'react';
import { canShareScreen, type Device } from '../devices/access';
import { MediaToggles } from '../devices/MediaToggles';
import { Toggle } from '../devices/Toggle';
import type { RoomSession } from '../devices/useRoomSession';
import { Icon } from '../shared/Icon';

interface Props {
  readonly session: RoomSession;
  readonly onTrouble: (device: Device, error: unknown) => void;
}

const hasTouch = (): boolean => matchMedia('(pointer: coarse)').matches;

export function BroadcastBar({ session, onTrouble }: Props) {
  return (
    <footer className="bar" role="toolbar" aria-label="Broadcast controls">
      <MediaToggles wanted={session.wanted} listens={false} onTrouble={onTrouble} />
      {hasTouch() && <Flip onTrouble={onTrouble} />}
      {canShareScreen() && <Toggle source={Track.Source.ScreenShare} onTrouble={onTrouble} />}
      <button
        type="button"
        className="round leave"
        data-testid="stop"
        aria-label="Stop the broadcast"
        onClick={session.leave}
      >
        <Icon name="stop" />
        <span>Stop</span>
      </button>
    </footer>
  );
}

/** Changes between the front and the back camera of a phone, which call them by where they face and not by a name. */
function Flip({ onTrouble }: { readonly onTrouble: Props['onTrouble'] }) {
  const room = useRoomContext();
  const [busy, setBusy] = useState(false);
  const { devices } = useMediaDeviceSelect({ kind: 'videoinput', room });
  if (devices.length < 2) return null;
  const flip = async () => {
    const track = room.localParticipant.getTrackPublication(Track.Source.Camera)?.videoTrack;
    if (!(track instanceof LocalVideoTrack)) return;
    const facing = facingModeFromLocalTrack(track).facingMode;
    setBusy(true);
    try {
      await track.restartTrack({ facingMode: facing === 'environment' ? 'user' : 'environment' });
    } catch (error) {
      onTrouble('camera', error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      className="round"
      data-testid="flip"
      aria-label="Change to the other camera"
      title="Change to the other camera"
      disabled={busy}
      onClick={() => void flip()}
    >
      <Icon name="flip" />
    </button>
  );
}
