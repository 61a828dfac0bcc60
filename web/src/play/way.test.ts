import { expect, test } from 'vitest';
import { wayTo } from './way';

const camera = { live: true, bridged: false, tracks: 0 };

test('a camera that is all there is, is watched frame by frame', () => {
  expect(wayTo(camera)).toBe('frames');
});

test.each([
  ['it is bridged', { ...camera, bridged: true }],
  ['somebody publishes by WebRTC', { ...camera, tracks: 1 }],
  ['there is no camera', { ...camera, live: false }],
  ['the server can not be asked', undefined],
])('by WebRTC when %s', (_, state) => {
  expect(wayTo(state)).toBe('webrtc');
});
