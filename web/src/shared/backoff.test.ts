import { expect, test } from 'vitest';
import { backoffMs } from './backoff';

test('waits grow and stop growing', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 60].map((attempt) => backoffMs(attempt, () => 1));
  expect(waits).toEqual([400, 800, 1600, 3200, 6400, 12_000, 12_000, 12_000]);
});

test('chance takes away at most half', () => {
  expect(backoffMs(3, () => 0)).toBe(800);
});
