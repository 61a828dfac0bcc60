import { type TrackReferenceOrPlaceholder, useTracks } from '@livekit/components-react';
import { Track } from 'livekit-client';
import type { Focusable } from './focus';
import { isVisible } from './people';

export interface TileItem extends Focusable {
  readonly ref: TrackReferenceOrPlaceholder;
}

const { Camera, ScreenShare, Unknown } = Track.Source;

function isWorthATile(
  ref: TrackReferenceOrPlaceholder,
  all: readonly TrackReferenceOrPlaceholder[],
): boolean {
  if (!isVisible(ref.participant)) return false;
  if (ref.publication) return ref.publication.kind === Track.Kind.Video;
  // Who may only watch is counted, not shown.
  if (ref.participant.permissions?.canPublish === false) return false;
  return !all.some((other) => other.source === Unknown && other.participant === ref.participant);
}

export function useTiles(): readonly TileItem[] {
  const refs = useTracks(
    [
      { source: Camera, withPlaceholder: true },
      { source: ScreenShare, withPlaceholder: false },
      { source: Unknown, withPlaceholder: false },
    ],
    { onlySubscribed: false },
  );
  return refs
    .filter((ref) => isWorthATile(ref, refs))
    .map((ref) => ({
      ref,
      key: `${ref.participant.identity}/${ref.source}`,
      screen: ref.source === ScreenShare,
    }));
}
