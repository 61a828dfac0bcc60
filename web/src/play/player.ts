import { pause } from '../shared/backoff';
import { playsH264 } from '../shared/codecs';
import type { RoomPageConfig } from '../shared/config';
import { FramePlayer } from './framePlayer';
import type { Loudness } from './loudness';
import { notices } from './notice';
import { fetchLiveState, modeFor, type PlaybackMode } from './mode';
import type { PlayerView } from './view';

interface ModePlayer {
  run(): Promise<void>;
  stop(): void;
}

const POLL_MS = 5_000;

/** Plays a room in the mode that fits what is published, and changes the mode when that changes. */
export class Player {
  private readonly leaving = new AbortController();
  private current: ModePlayer | undefined;
  private mode: PlaybackMode | undefined;
  private readonly h264 = playsH264();

  constructor(
    private readonly config: RoomPageConfig,
    private readonly view: PlayerView,
    private readonly loudness: Loudness,
  ) {}

  /** Rejects when the part of the player that is needed cannot be loaded. */
  async run(): Promise<void> {
    const { signal } = this.leaving;
    await this.switchTo(modeFor(await fetchLiveState(this.config.liveUrl, signal), this.h264));
    void this.watch(signal);
  }

  private async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(POLL_MS, signal);
      if (document.hidden || (this.mode === 'webrtc' && !this.lacksPicture)) continue;
      const state = await fetchLiveState(this.config.liveUrl, signal);
      if (state) await this.switchTo(modeFor(state, this.h264)).catch(() => undefined);
    }
  }

  /** A picture by WebRTC is the better one; as long as there is one, the server is not asked. */
  private get lacksPicture(): boolean {
    return this.view.state === 'waiting' || (this.view.state === 'connecting' && !this.h264);
  }

  private async switchTo(mode: PlaybackMode): Promise<void> {
    if (mode === this.mode) return;
    const next = await this.open(mode);
    this.current?.stop();
    this.current = next;
    this.mode = mode;
    this.view.show('connecting', notices.connecting);
    void next.run();
  }

  private async open(mode: PlaybackMode): Promise<ModePlayer> {
    const { joinUrl, framesUrl, mjpegUrl } = this.config;
    if (mode === 'frames') {
      const url = new URL(framesUrl, location.href);
      url.protocol = url.protocol.replace('http', 'ws');
      return new FramePlayer(url.href, mjpegUrl, this.view);
    }
    const { WebRtcPlayer } = await import('./webrtcPlayer');
    return new WebRtcPlayer(joinUrl, this.view, this.loudness);
  }
}
