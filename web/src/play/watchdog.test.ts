import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Watchdog } from './watchdog';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('silence is reported once, and only when nothing has come for so long', () => {
  const silent = vi.fn();
  const watchdog = new Watchdog(silent, 10_000);
  for (let second = 0; second < 60; second += 1) {
    vi.advanceTimersByTime(1_000);
    watchdog.reset(10_000);
  }
  expect(silent).not.toHaveBeenCalled();
  vi.advanceTimersByTime(60_000);
  expect(silent).toHaveBeenCalledTimes(1);
});

test('after sleep less silence is enough', () => {
  const silent = vi.fn();
  const watchdog = new Watchdog(silent, 10_000);
  vi.advanceTimersByTime(1_000);
  watchdog.check(2_000);
  expect(silent).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1_500);
  watchdog.check(2_000);
  watchdog.check(2_000);
  expect(silent).toHaveBeenCalledTimes(1);
});

test('nothing is reported once it is stopped', () => {
  const silent = vi.fn();
  const watchdog = new Watchdog(silent, 10_000);
  watchdog.stop();
  vi.advanceTimersByTime(60_000);
  watchdog.check(0);
  expect(silent).not.toHaveBeenCalled();
});
