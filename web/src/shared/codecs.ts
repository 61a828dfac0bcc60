/** Whether the browser plays H.264 over WebRTC. Firefox without its plug-in and Chromium without codecs do not. */
export function playsH264(): boolean {
  // A browser that cannot say is one of before 2020, and those do.
  const capabilities = typeof RTCRtpReceiver === 'undefined' ? undefined : RTCRtpReceiver.getCapabilities('video');
  return capabilities?.codecs.some((codec) => codec.mimeType.toLowerCase() === 'video/h264') ?? true;
}
