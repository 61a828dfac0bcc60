import type { ReconnectPolicy } from 'livekit-client';

const FIRST_MS = 500;
const LONGEST_MS = 4_000;
const GIVE_UP_MS = 15_000;

/**
 * How the client itself tries to come back, before a new token is asked for. Not at once: when a room is
 * closed, its data channels close a moment before the message that says so, and a client that returned
 * in that moment would open the room again.
 */
export const reconnectPolicy: ReconnectPolicy = {
  nextRetryDelayInMs: ({ retryCount, elapsedMs }) =>
    elapsedMs > GIVE_UP_MS
      ? null
      : Math.min(LONGEST_MS, FIRST_MS * 2 ** retryCount) * (1 + Math.random() / 4),
};
