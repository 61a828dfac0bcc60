import { pause } from '../shared/backoff';
import { playsH264 } from '../shared/codecs';
import type { RoomPageConfig } from '../shared/config';
import { Frames } from './frames';
import type { Loudness } from './loudness';
import { notices } from './notice';
import type { Stage } from './stage';
import { look, type Way, wayTo } from './way';

interface Showing {
  run(): Promise<void>;
  stop(): void;
}

const LOOK_MS = 5_000;

/** A viewer's visit: watches by the way that there is, and changes over when another one opens. */
export class Visit {
  private readonly leaving = new AbortController();
  private showing: Showing | undefined;
  private way: Way | undefined;
  private readonly h264 = playsH264();

  constructor(
    private readonly config: RoomPageConfig,
    private readonly stage: Stage,
    private readonly loudness: Loudness,
  ) {}

  /** Rejects when the part of the player that is needed cannot be loaded. */
  async run(): Promise<void> {
    const { signal } = this.leaving;
    await this.go(wayTo(await look(this.config.liveUrl, signal), this.h264));
    void this.watch(signal);
  }

  private async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(LOOK_MS, signal);
      if (document.hidden || (this.way === 'webrtc' && !this.lacksPicture)) continue;
      const state = await look(this.config.liveUrl, signal);
      if (state) await this.go(wayTo(state, this.h264)).catch(() => undefined);
    }
  }

  /** What is seen by WebRTC is the better picture; as long as there is one, the server is not asked. */
  private get lacksPicture(): boolean {
    return this.stage.state === 'waiting' || (this.stage.state === 'connecting' && !this.h264);
  }

  private async go(way: Way): Promise<void> {
    if (way === this.way) return;
    const next = await this.open(way);
    this.showing?.stop();
    this.showing = next;
    this.way = way;
    this.stage.show('connecting', notices.connecting);
    void next.run();
  }

  private async open(way: Way): Promise<Showing> {
    const { joinUrl, framesUrl, mjpegUrl } = this.config;
    if (way === 'frames') {
      const url = new URL(framesUrl, location.href);
      url.protocol = url.protocol.replace('http', 'ws');
      return new Frames(url.href, mjpegUrl, this.stage);
    }
    const { Show } = await import('./show');
    return new Show(joinUrl, this.stage, this.loudness);
  }
}
