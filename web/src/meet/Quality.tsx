import { useConnectionQualityIndicator } from '@livekit/components-react';
import { ConnectionQuality, type Participant } from 'livekit-client';

const WORDS: Readonly<Record<ConnectionQuality, string>> = {
  [ConnectionQuality.Excellent]: 'Connection: excellent',
  [ConnectionQuality.Good]: 'Connection: good',
  [ConnectionQuality.Poor]: 'Connection: poor',
  [ConnectionQuality.Lost]: 'Connection: lost',
  [ConnectionQuality.Unknown]: 'Connection: not known yet',
};

export function Quality({ participant }: { readonly participant: Participant }) {
  const { quality } = useConnectionQualityIndicator({ participant });
  return (
    <span
      className="quality"
      role="img"
      data-quality={quality}
      title={WORDS[quality]}
      aria-label={WORDS[quality]}
    >
      <i />
      <i />
      <i />
    </span>
  );
}
