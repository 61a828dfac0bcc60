import {
  isTrackReference,
  useFacingMode,
  useIsMuted,
  useIsSpeaking,
  useParticipantInfo,
  VideoTrack,
} from '@livekit/components-react';
import { type Participant, Track } from 'livekit-client';
import { playsH264 } from '../shared/codecs';
import { Icon } from '../shared/Icon';
import { hueOf, initials } from '../shared/initials';
import { isUnplayable } from './people';
import { Quality } from './Quality';
import type { TileItem } from './useTiles';

interface Props {
  readonly item: TileItem;
  readonly large: boolean;
  readonly onFocus: (key: string) => void;
}

export function Tile({ item, large, onFocus }: Props) {
  const { participant } = item.ref;
  const speaking = useIsSpeaking(participant) && !item.screen;
  const { name } = useParticipantInfo({ participant });
  const called = name || participant.identity;
  return (
    <article
      className="tile"
      data-testid="tile"
      data-identity={participant.identity}
      data-source={item.ref.source}
      data-local={participant.isLocal || undefined}
      data-large={large || undefined}
      data-speaking={speaking || undefined}
      aria-label={item.screen ? `${called}’s screen` : called}
    >
      <Picture item={item} called={called} />
      <footer className="tile-foot">
        {!item.screen && <Silence participant={participant} />}
        <span className="tile-name">{caption(called, participant, item.screen)}</span>
        <Quality participant={participant} />
      </footer>
      <button
        type="button"
        className="tile-focus"
        aria-pressed={large}
        aria-label={large ? 'Back to the grid' : `Show ${called} large`}
        onClick={() => onFocus(item.key)}
      >
        <Icon name={large ? 'grid' : 'focus'} />
      </button>
    </article>
  );
}

function caption(called: string, participant: Participant, screen: boolean): string {
  if (screen) return participant.isLocal ? 'Your screen' : `${called}’s screen`;
  return participant.isLocal ? `${called} (you)` : called;
}

function Picture({ item, called }: { readonly item: TileItem; readonly called: string }) {
  const { ref } = item;
  const muted = useIsMuted(ref);
  if (!muted && isUnplayable(ref.publication, ref.participant, playsH264())) {
    return (
      <p className="tile-note" data-testid="tile-note">
        This browser does not play the video of {called} (H.264). Use another browser, or switch on the H.264 plug-in.
      </p>
    );
  }
  if (isTrackReference(ref) && !muted && (ref.publication.track || ref.participant.isLocal)) {
    return <Film trackRef={ref} />;
  }
  return (
    <span className="avatar" data-hue={hueOf(ref.participant.identity)} aria-hidden="true">
      {initials(called)}
    </span>
  );
}

function Film({ trackRef }: { readonly trackRef: Parameters<typeof useFacingMode>[0] }) {
  const facing = useFacingMode(trackRef);
  // The mirror in LiveKit's style sheet looks for this attribute on a parent.
  return (
    <div className="film" data-lk-facing-mode={facing === 'environment' ? facing : 'user'}>
      {isTrackReference(trackRef) && <VideoTrack trackRef={trackRef} />}
    </div>
  );
}

function Silence({ participant }: { readonly participant: Participant }) {
  const silent = useIsMuted({ participant, source: Track.Source.Microphone });
  if (!silent) return null;
  return (
    <span className="tile-silent" role="img" aria-label="Microphone off">
      <Icon name="micOff" />
    </span>
  );
}
