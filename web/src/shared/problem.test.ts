import { expect, test } from 'vitest';
import { parseRetryAfter, problemFrom, unreachable } from './problem';

test('the detail a server gives is what a person reads', () => {
  const problem = problemFrom(409, {
    title: 'Conflict',
    status: 409,
    code: 'room_full',
    detail: 'The room is full.',
  });
  expect([problem.detail, problem.code]).toEqual(['The room is full.', 'room_full']);
});

test.each([undefined, null, 'oops', [], { detail: 7 }])(
  'an answer that is no problem document (%j) still has words',
  (body) => {
    const problem = problemFrom(404, body);
    expect(problem.title).toBe('There is nothing behind this door');
    expect(problem.detail).not.toBe('');
  },
);

test.each([
  [0, true],
  [401, false],
  [404, false],
  [409, false],
  [410, false],
  [408, true],
  [429, true],
  [500, true],
  [503, true],
])('status %i may pass by itself: %s', (status, passing) => {
  expect(problemFrom(status, {}).passing).toBe(passing);
});

test('a network failure passes', () => {
  expect(unreachable().passing).toBe(true);
});

test('Retry-After is seconds or a date', () => {
  expect(parseRetryAfter('3', 0)).toBe(3000);
  expect(parseRetryAfter('Thu, 01 Jan 1970 00:00:05 GMT', 1000)).toBe(4000);
  expect(parseRetryAfter('soon', 0)).toBeUndefined();
  expect(parseRetryAfter(null, 0)).toBeUndefined();
});

test('times in a detail are the reader’s own', () => {
  const { detail } = problemFrom(403, { detail: 'You are banned until 2026-11-21T07:39:39.372Z.' });
  expect(detail).toMatch(/^You are banned until .*2026.*\.$/);
  expect(detail).not.toContain('T07:39');
});
