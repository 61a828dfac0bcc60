import { expect, test } from 'vitest';
import { type Candidate, choose } from './choose';

const video = (sid: string, since: number, more: Partial<Candidate> = {}): Candidate => ({
  sid,
  since,
  kind: 'camera',
  dark: false,
  ...more,
});
const sids = (candidates: Candidate[]) => choose(candidates).map((candidate) => candidate.sid);

test('nothing is shown when nothing is published', () => {
  expect(sids([])).toEqual([]);
});

test('cameras stand in the order their publishers came', () => {
  expect(sids([video('b', 2), video('a', 1), video('c', 3)])).toEqual(['a', 'b', 'c']);
});

test('the newest shared screen takes the stage alone', () => {
  const screens = [video('s1', 1, { kind: 'screen' }), video('s2', 5, { kind: 'screen' })];
  expect(sids([video('cam', 9), ...screens])).toEqual(['s2']);
});

test('muted video is not shown, be it a screen or a camera', () => {
  expect(
    sids([video('s', 3, { kind: 'screen', dark: true }), video('a', 1), video('b', 2, { dark: true })]),
  ).toEqual(['a']);
});

test('of too many cameras the newest are kept', () => {
  const many = Array.from({ length: 20 }, (_, index) => video(`v${index}`, index));
  expect(sids(many)).toHaveLength(16);
  expect(sids(many)[0]).toBe('v4');
});

test('publishers that came at once keep a steady order', () => {
  expect(sids([video('b', 1), video('a', 1)])).toEqual(sids([video('a', 1), video('b', 1)]));
});
