import type { Participant, TrackPublication } from 'livekit-client';

/** Silent observers are in the room and are not shown. */
export function isVisible(participant: Participant): boolean {
  return !participant.permissions?.hidden;
}

export function nameOf(participant: Participant): string {
  return participant.name || participant.identity;
}

/** Whether a participant's video is of a codec that this browser does not play; LiveKit gives no other version of it. */
export function isUnplayable(
  publication: Pick<TrackPublication, 'mimeType'> | undefined,
  participant: Pick<Participant, 'isLocal'>,
  h264: boolean,
): boolean {
  return !h264 && !participant.isLocal && publication?.mimeType?.toLowerCase() === 'video/h264';
}
