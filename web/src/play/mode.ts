/** What can be watched in a room, by the server. */
export interface LiveState {
  /** A camera sends JPEG frames. */
  readonly live: boolean;
  /** Its frames are a WebRTC track as well. */
  readonly bridged: boolean;
  /** What is published by WebRTC. */
  readonly tracks: number;
}

export type PlaybackMode = 'frames' | 'webrtc';

/**
 * Frames when a camera is all there is: they cost the server next to nothing, and this page no WebRTC. So too when the
 * camera's track is all there is and the browser does not play H.264, which is what a bridge publishes.
 */
export function modeFor(state: LiveState | undefined, h264: boolean): PlaybackMode {
  if (!state?.live) return 'webrtc';
  const others = state.tracks - (state.bridged ? 1 : 0);
  return others <= 0 && !(state.bridged && h264) ? 'frames' : 'webrtc';
}

const TIMEOUT_MS = 10_000;

/** The server's answer; undefined when it cannot be asked, and then nothing is to be changed. */
export async function fetchLiveState(liveUrl: string, signal: AbortSignal): Promise<LiveState | undefined> {
  try {
    const response = await fetch(liveUrl, {
      cache: 'no-store',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    if (!response.ok) return undefined;
    return ((await response.json()) as { data: LiveState }).data;
  } catch {
    return undefined;
  }
}
