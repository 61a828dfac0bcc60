import { backoffMs, pause } from '../shared/backoff';
import { el } from './dom';
import { notices } from './notice';
import { mjpegFrames, type Source, socketFrames } from './sources';
import type { PlayerView } from './view';
import { Watchdog } from './watchdog';

/** A camera that sends a picture now and then is still live. */
const STILL_MS = 15_000;
/** A proxy that lets no WebSocket through refuses the first ones at once. */
const SOCKET_ATTEMPTS = 2;
/**
 * A connection can be lost without notice: the phone slept, a proxy forgot it, the network changed. The server sends
 * whatever comes, so after this silence it is asked again; for a camera that is slow this costs a request.
 */
const QUIET_MS = 10_000;
/** A connection that is not open by then is tried again. */
const OPENING_MS = 3_000;
/** When the page is seen again, or the network is back, silence of this length is enough. */
const QUIET_AFTER_SLEEP_MS = 1_000;

/** Watches a camera frame by frame: over a WebSocket, or as MJPEG where none gets through. */
export class FramePlayer {
  private readonly leaving = new AbortController();
  private readonly canvas = el('canvas', { class: 'stage-frames', 'data-testid': 'stage-frames' });
  private newest: Blob | undefined;
  private drawing = false;
  private still: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly socketUrl: string,
    private readonly mjpegUrl: string,
    private readonly view: PlayerView,
  ) {}

  /** Until it is stopped. */
  async run(): Promise<void> {
    const { signal } = this.leaving;
    this.put(this.canvas);
    const over = () => signal.aborted;
    let sockets = 0;
    let failures = 0;
    while (!over()) {
      const socket = sockets < SOCKET_ATTEMPTS;
      const { opened, silent } = socket
        ? await this.follow(socketFrames, this.socketUrl)
        : await this.follow(mjpegFrames, this.mjpegUrl);
      if (over()) break;
      if (socket) sockets = opened ? 0 : sockets + 1;
      else if (!opened) sockets = SOCKET_ATTEMPTS - 1; // neither is open now, so both are tried in turn
      failures = opened || silent ? 0 : failures + 1;
      // A server that refuses needs a pause. Silence was one, and the browser may have more connections that are lost:
      // it keeps up to six for the next requests.
      if (!silent) await pause(backoffMs(failures + 1), signal);
    }
  }

  stop(): void {
    this.leaving.abort();
    clearTimeout(this.still);
    this.view.root.removeAttribute('data-silent');
    this.view.videos.replaceChildren();
  }

  /** One connection, to its end or until it is silent; whether it was open, and whether silence ended it. */
  private async follow(source: Source, url: string): Promise<{ opened: boolean; silent: boolean }> {
    const silence = new AbortController();
    const watchdog = new Watchdog(() => silence.abort(), OPENING_MS);
    let opened = false;
    const check = () => {
      if (!document.hidden) watchdog.check(QUIET_AFTER_SLEEP_MS);
    };
    document.addEventListener('visibilitychange', check);
    window.addEventListener('online', check);
    const onOpen = () => {
      opened = true;
      watchdog.reset(QUIET_MS);
    };
    const onFrame = (frame: Blob) => {
      watchdog.reset(QUIET_MS);
      this.newest = frame;
      void this.draw();
    };
    try {
      await source(url, { onOpen, onFrame }, AbortSignal.any([this.leaving.signal, silence.signal]));
      return { opened, silent: silence.signal.aborted };
    } finally {
      watchdog.stop();
      document.removeEventListener('visibilitychange', check);
      window.removeEventListener('online', check);
    }
  }

  /** Draws the newest frame; those that came meanwhile are left out. */
  private async draw(): Promise<void> {
    if (this.drawing) return;
    this.drawing = true;
    while (this.newest && !this.leaving.signal.aborted) {
      const frame = this.newest;
      this.newest = undefined;
      const picture = await createImageBitmap(frame).catch(() => undefined);
      if (!picture) continue;
      if (this.canvas.width !== picture.width) this.canvas.width = picture.width;
      if (this.canvas.height !== picture.height) this.canvas.height = picture.height;
      this.canvas.getContext('2d')?.drawImage(picture, 0, 0);
      picture.close();
      this.seen();
    }
    this.drawing = false;
  }

  private seen(): void {
    if (this.leaving.signal.aborted) return;
    this.view.show('live');
    clearTimeout(this.still);
    this.still = setTimeout(() => this.view.show('waiting', notices.paused), STILL_MS);
  }

  private put(element: HTMLElement): void {
    this.view.root.setAttribute('data-silent', '');
    this.view.videos.dataset.count = '1';
    this.view.videos.style.setProperty('--columns', '1');
    this.view.videos.style.setProperty('--rows', '1');
    this.view.videos.replaceChildren(el('div', { class: 'stage-tile' }, element));
  }
}
