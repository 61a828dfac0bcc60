import { useTrackVolume } from '@livekit/components-react';
import type { LocalAudioTrack } from 'livekit-client';

const BARS = [0.04, 0.12, 0.22, 0.34, 0.48];

export function MicLevel({ track }: { readonly track: LocalAudioTrack }) {
  const volume = useTrackVolume(track);
  return (
    <div className="mic-level" aria-hidden="true">
      {BARS.map((bar) => (
        <span key={bar} data-on={volume > bar || undefined} />
      ))}
    </div>
  );
}
