import { expect, test } from 'vitest';
import { reconnectPolicy } from './reconnectPolicy';

const delay = (retryCount: number, elapsedMs: number) =>
  reconnectPolicy.nextRetryDelayInMs({ retryCount, elapsedMs });

test('the first try waits for the word that the room was closed', () => {
  expect(delay(0, 0)).toBeGreaterThanOrEqual(500);
});

test('tries become rarer, then give way to a new token', () => {
  expect(delay(9, 10_000)).toBeLessThanOrEqual(5_000);
  expect(delay(9, 20_000)).toBeNull();
});
