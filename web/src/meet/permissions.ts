import { Track } from 'livekit-client';

export interface Permissions {
  readonly canPublish: boolean;
  readonly canPublishData: boolean;
  readonly canPublishSources: readonly number[];
}

/** The numbers LiveKit's protocol gives to the sources. */
const NUMBERS: Readonly<Partial<Record<Track.Source, number>>> = {
  [Track.Source.Camera]: 1,
  [Track.Source.Microphone]: 2,
  [Track.Source.ScreenShare]: 3,
};

/** An empty list of sources allows them all. */
export function mayPublish(permissions: Permissions | undefined, source: Track.Source): boolean {
  if (!permissions?.canPublish) return false;
  const number = NUMBERS[source];
  const { canPublishSources } = permissions;
  return canPublishSources.length === 0 || (number !== undefined && canPublishSources.includes(number));
}
