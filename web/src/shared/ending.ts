import { DisconnectReason } from 'livekit-client';
import type { Problem } from './problem';

export type Ending =
  | { readonly kind: 'left' }
  | { readonly kind: 'closed'; readonly title: string; readonly detail: string }
  | { readonly kind: 'refused'; readonly problem: Problem };

/** A participant decided this; coming back by ourselves would be against their will. */
export function closedBy(reason: DisconnectReason | undefined): Ending | undefined {
  switch (reason) {
    case DisconnectReason.CLIENT_INITIATED:
      return { kind: 'left' };
    case DisconnectReason.DUPLICATE_IDENTITY:
      return {
        kind: 'closed',
        title: 'Opened somewhere else',
        detail: 'The same link is in use in another window or on another device.',
      };
    case DisconnectReason.PARTICIPANT_REMOVED:
      return { kind: 'closed', title: 'You were removed', detail: 'The host ended your visit to this room.' };
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return { kind: 'closed', title: 'This has ended', detail: 'The host closed the room.' };
    default:
      return undefined;
  }
}
