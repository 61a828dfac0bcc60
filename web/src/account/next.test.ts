import { expect, test } from 'vitest';
import { nextPage } from './next';

const origin = 'https://stagedoor.example.com';
const next = (search: string, hash = '') => nextPage({ search, origin, hash });

test.each([
  ['/meet/live/demo?token=a#b', '/meet/live/demo?token=a#b'],
  ['/account', '/account'],
  ['/a/../b', '/b'],
])('%s is of this host', (wanted, page) => {
  expect(next(`?next=${encodeURIComponent(wanted)}`)).toBe(page);
});

test.each([
  'https://evil.example',
  '//evil.example',
  '/\\evil.example',
  '/\t/evil.example',
  '\\\\evil.example',
  'javascript:alert(1)',
  'evil.example',
  '',
])('%s is not followed', (wanted) => {
  expect(next(`?next=${encodeURIComponent(wanted)}`, '#secret')).toBe('/account');
});

test('without a wish it is the account', () => {
  expect(next('')).toBe('/account');
});

test('a secret behind the # goes along', () => {
  expect(next('?next=%2Finvitation', '#inv_secret')).toBe('/invitation#inv_secret');
});
