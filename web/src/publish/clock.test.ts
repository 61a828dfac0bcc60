import { expect, test } from 'vitest';
import { clock } from './clock';

test.each([
  [0, '00:00'],
  [59, '00:59'],
  [61, '01:01'],
  [3599, '59:59'],
  [3600, '1:00:00'],
  [36_061, '10:01:01'],
])('%d seconds are %s', (seconds, text) => {
  expect(clock(seconds)).toBe(text);
});
