import { RoomContext, useLocalParticipant, useTracks } from '@livekit/components-react';
import { facingModeFromLocalTrack, LocalVideoTrack, Track } from 'livekit-client';
import { useEffect, useRef } from 'react';
import type { Choices } from '../devices/choices';
import { useDeviceTrouble } from '../devices/useDeviceTrouble';
import { type RoomSession, useRoomSession } from '../devices/useRoomSession';
import { Brand } from '../shared/Brand';
import type { Ending } from '../shared/ending';
import { Icon } from '../shared/Icon';
import { Messages } from '../shared/Messages';
import { BroadcastBar } from './BroadcastBar';
import { OnAir } from './OnAir';
import { useWakeLock } from './useWakeLock';

interface Props {
  readonly title: string;
  readonly joinUrl: string;
  readonly choices: Choices;
  readonly onEnd: (ending: Ending) => void;
}

export function Broadcast({ title, joinUrl, choices, onEnd }: Props) {
  const { messages, onTrouble } = useDeviceTrouble();
  const session = useRoomSession({ joinUrl, choices, onEnd, onTrouble });
  useWakeLock();
  return (
    <RoomContext.Provider value={session.room}>
      <div className="broadcast" data-testid="broadcast" data-state={session.link}>
        <header className="top">
          <Brand title={title} />
          <OnAir link={session.link} />
        </header>
        <OwnPicture session={session} />
        <BroadcastBar session={session} onTrouble={onTrouble} />
        <Messages items={messages.items} onDismiss={messages.dismiss} />
      </div>
    </RoomContext.Provider>
  );
}

/** What is sent now: the screen if one is shared, else the camera. */
function OwnPicture({ session }: { readonly session: RoomSession }) {
  const video = useRef<HTMLVideoElement>(null);
  const sent = useTracks([Track.Source.ScreenShare, Track.Source.Camera], { onlySubscribed: false }).filter(
    ({ participant }) => participant === session.room.localParticipant,
  );
  const shown = sent.find(({ source }) => source === Track.Source.ScreenShare) ?? sent[0];
  const muted = shown?.publication.isMuted ?? true;
  const track = shown?.publication.track;
  const { isMicrophoneEnabled } = useLocalParticipant({ room: session.room });
  useEffect(() => {
    const element = video.current;
    if (!element || !track || muted) return;
    track.attach(element);
    return () => void track.detach(element);
  }, [track, muted]);
  const mirrored =
    track instanceof LocalVideoTrack &&
    shown?.source === Track.Source.Camera &&
    facingModeFromLocalTrack(track).facingMode !== 'environment';
  return (
    <main className="own-picture">
      <video
        ref={video}
        muted
        playsInline
        autoPlay
        data-testid="own-picture"
        aria-label="What viewers see"
        hidden={!track || muted}
        data-mirrored={mirrored || undefined}
      />
      {(!track || muted) && (
        <p>
          <Icon name="cameraOff" />
          {session.link === 'connected' ? nothingShown(isMicrophoneEnabled) : 'Connecting…'}
        </p>
      )}
    </main>
  );
}

const nothingShown = (microphone: boolean): string =>
  microphone ? 'Viewers hear you and see no picture' : 'Turn the camera or the microphone on to go live';
