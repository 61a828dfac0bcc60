import type { Participant } from 'livekit-client';

/** Recorders and silent observers are in the room, but nobody is meant to see them. */
export function isVisible(participant: Participant): boolean {
  return !participant.permissions?.hidden && !participant.permissions?.recorder;
}

export function nameOf(participant: Participant): string {
  return participant.name || participant.identity;
}
