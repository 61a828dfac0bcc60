import { expect, test } from 'vitest';
import { modeFor } from './mode';

const camera = { live: true, bridged: false, tracks: 0 };

test.each([true, false])('a camera that is all there is, is watched frame by frame (H.264: %s)', (h264) => {
  expect(modeFor(camera, h264)).toBe('frames');
});

test.each([1, 0])('a bridged camera too, where H.264 is not played (%i tracks are known)', (tracks) => {
  expect(modeFor({ ...camera, bridged: true, tracks }, false)).toBe('frames');
});

test('but not when a person is there to be seen', () => {
  expect(modeFor({ ...camera, bridged: true, tracks: 2 }, false)).toBe('webrtc');
});

test.each([
  ['it is bridged', { ...camera, bridged: true }],
  ['a person publishes by WebRTC', { ...camera, tracks: 1 }],
  ['there is no camera', { ...camera, live: false }],
  ['the server can not be asked', undefined],
])('by WebRTC when %s', (_, state) => {
  expect(modeFor(state, true)).toBe('webrtc');
});
