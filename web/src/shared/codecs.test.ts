import { afterEach, expect, test, vi } from 'vitest';
import { playsH264 } from './codecs';

afterEach(() => void vi.unstubAllGlobals());

test.each([
  [['video/VP8', 'video/H264'], true],
  [['video/VP8', 'video/rtx'], false],
])('with %j it is %s', (codecs, plays) => {
  vi.stubGlobal('RTCRtpReceiver', { getCapabilities: () => ({ codecs: codecs.map((mimeType) => ({ mimeType })) }) });
  expect(playsH264()).toBe(plays);
});

test('a browser that cannot say does', () => {
  vi.stubGlobal('RTCRtpReceiver', undefined);
  expect(playsH264()).toBe(true);
  vi.stubGlobal('RTCRtpReceiver', { getCapabilities: () => null });
  expect(playsH264()).toBe(true);
});
