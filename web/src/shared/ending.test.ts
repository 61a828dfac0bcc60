import { DisconnectReason } from 'livekit-client';
import { expect, test } from 'vitest';
import { closedBy } from './ending';

test('leaving is leaving', () => {
  expect(closedBy(DisconnectReason.CLIENT_INITIATED)).toEqual({ kind: 'left' });
});

test.each([
  DisconnectReason.ROOM_DELETED,
  DisconnectReason.ROOM_CLOSED,
  DisconnectReason.PARTICIPANT_REMOVED,
  DisconnectReason.DUPLICATE_IDENTITY,
])('what was decided on purpose (%i) is final', (reason) => {
  expect(closedBy(reason)?.kind).toBe('closed');
});

test.each([
  undefined,
  DisconnectReason.SERVER_SHUTDOWN,
  DisconnectReason.STATE_MISMATCH,
  DisconnectReason.SIGNAL_CLOSE,
  DisconnectReason.CONNECTION_TIMEOUT,
])('what merely happened (%s) is not', (reason) => {
  expect(closedBy(reason)).toBeUndefined();
});
