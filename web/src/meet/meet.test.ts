import { Track } from 'livekit-client';
import { expect, test } from 'vitest';
import { parseChoices } from './choices';
import { hueOf, initials } from './initials';
import { focusOf } from './layout';
import { pageOf } from './pages';
import { mayPublish } from './permissions';
import { deviceTrouble } from './trouble';

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
  expect(deviceTrouble('camera', named('NotAllowedError'), true)).toContain('Allow it');
  expect(deviceTrouble('microphone', named('NotFoundError'), true)).toContain('No microphone');
  expect(deviceTrouble('camera', named('NotReadableError'), true)).toContain('busy');
  expect(deviceTrouble('camera', named('TypeError'), false)).toContain('https');
  expect(deviceTrouble('screen', named('NotAllowedError'), true)).toBeUndefined();
  expect(deviceTrouble('camera', 'odd', true)).toContain('Try again');
});

test('pages hold everybody once, and a page that is no more gives way to the last', () => {
  const people = [1, 2, 3, 4, 5];
  expect(pageOf(people, 2, 0)).toEqual({ items: [1, 2], index: 0, count: 3 });
  expect(pageOf(people, 2, 9)).toEqual({ items: [5], index: 2, count: 3 });
  expect(pageOf(people, 2, -1).index).toBe(0);
  expect(pageOf([], 4, 2)).toEqual({ items: [], index: 0, count: 1 });
});
