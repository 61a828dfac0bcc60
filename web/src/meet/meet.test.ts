import { Track } from 'livekit-client';
import { expect, test } from 'vitest';
import { parseChoices } from '../devices/choices';
import { hueOf, initials } from '../shared/initials';
import { focusOf } from './focus';
import { pageOf } from './pages';
import { isUnplayable } from './people';
import { mayPublish } from './permissions';
import { deviceTrouble } from '../devices/trouble';

const camera = { key: 'ada/camera', screen: false };
const screen = { key: 'ada/screen', screen: true };
const later = { key: 'bob/screen', screen: true };

test('a shared screen is large by itself, the last one first', () => {
  expect(focusOf({ kind: 'auto' }, [camera])).toBeUndefined();
  expect(focusOf({ kind: 'auto' }, [camera, screen, later])).toBe(later.key);
});

test('a person may keep the grid, or have one tile large until it leaves', () => {
  expect(focusOf({ kind: 'grid' }, [camera, screen])).toBeUndefined();
  expect(focusOf({ kind: 'tile', key: camera.key }, [camera, screen])).toBe(camera.key);
  expect(focusOf({ kind: 'tile', key: 'gone' }, [camera])).toBeUndefined();
});

test.each([undefined, '', 'x', 'null', '[]', '{"name":5,"camera":"yes"}'])('choices survive %j', (text) => {
  expect(parseChoices(text)).toMatchObject({ name: '', camera: true, cameraId: '' });
});

test('choices come back', () => {
  expect(parseChoices('{"name":"Ada","camera":false}')).toMatchObject({ name: 'Ada', camera: false });
});

test.each([
  ['Ada Lovelace', 'AL'],
  ['  ada ', 'A'],
  ['Jean-Luc de la Tour', 'JT'],
  ['', '?'],
  ['😀 x', '😀X'],
])('initials of %j', (name, letters) => {
  expect(initials(name)).toBe(letters);
});

test('a colour is one of eight and stays the same', () => {
  expect(Number(hueOf('ada'))).toBeLessThan(8);
  expect(hueOf('ada')).toBe(hueOf('ada'));
});

test('what may be published', () => {
  const some = { canPublish: true, canPublishData: true, canPublishSources: [2] };
  expect(mayPublish(some, Track.Source.Microphone)).toBe(true);
  expect(mayPublish(some, Track.Source.Camera)).toBe(false);
  expect(mayPublish({ ...some, canPublishSources: [] }, Track.Source.Camera)).toBe(true);
  expect(mayPublish({ ...some, canPublish: false }, Track.Source.Microphone)).toBe(false);
  expect(mayPublish(undefined, Track.Source.Microphone)).toBe(false);
});

test('device errors become sentences', () => {
  const named = (name: string) => Object.assign(new Error('x'), { name });
  expect(deviceTrouble('camera', named('NotAllowedError'), 'given')).toContain('Allow it');
  expect(deviceTrouble('microphone', named('NotFoundError'), 'given')).toContain('No microphone');
  expect(deviceTrouble('camera', named('NotReadableError'), 'given')).toContain('busy');
  expect(deviceTrouble('camera', named('TypeError'), 'insecure')).toContain('https');
  expect(deviceTrouble('camera', named('TypeError'), 'missing')).toContain('another browser');
  expect(deviceTrouble('camera', named('NotAllowedError'), 'framed')).toContain('allow="camera; microphone"');
  expect(deviceTrouble('camera', named('NotAllowedError'), 'perhaps framed')).toContain('a tab of its own');
  expect(deviceTrouble('screen', named('NotAllowedError'), 'given')).toBeUndefined();
  expect(deviceTrouble('camera', 'odd', 'given')).toContain('Try again');
});

test('pages hold every participant once, and a page that is no more gives way to the last', () => {
  const people = [1, 2, 3, 4, 5];
  expect(pageOf(people, 2, 0)).toEqual({ items: [1, 2], index: 0, count: 3 });
  expect(pageOf(people, 2, 9)).toEqual({ items: [5], index: 2, count: 3 });
  expect(pageOf(people, 2, -1).index).toBe(0);
  expect(pageOf([], 4, 2)).toEqual({ items: [], index: 0, count: 1 });
});

test('a video that the browser does not play', () => {
  const ours = { isLocal: true };
  const theirs = { isLocal: false };
  const publication = (mimeType: string) => ({ mimeType });
  expect(isUnplayable(publication('video/H264'), theirs, false)).toBe(true);
  expect(isUnplayable(publication('video/H264'), theirs, true)).toBe(false);
  expect(isUnplayable(publication('video/VP8'), theirs, false)).toBe(false);
  expect(isUnplayable(publication('video/H264'), ours, false)).toBe(false);
  expect(isUnplayable(undefined, theirs, false)).toBe(false);
});
