import type { Participant } from 'livekit-client';

/** Silent observers are in the room, but nobody is meant to see them. */
export function isVisible(participant: Participant): boolean {
  return !participant.permissions?.hidden;
}

export function nameOf(participant: Participant): string {
  return participant.name || participant.identity;
}
