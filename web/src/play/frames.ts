import { backoffMs, pause } from '../shared/backoff';
import { el } from './dom';
import { notices } from './notice';
import type { Stage } from './stage';

/** A camera that sends a picture now and then is still live. */
const STILL_MS = 15_000;
/** A proxy that lets no WebSocket through refuses the first ones at once. */
const SOCKET_ATTEMPTS = 2;

/** Watches a camera frame by frame: over a WebSocket, or as MJPEG where none gets through. */
export class Frames {
  private readonly leaving = new AbortController();
  private readonly canvas = el('canvas', { class: 'stage-frames', 'data-testid': 'stage-frames' });
  private newest: Blob | undefined;
  private drawing = false;
  private still: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly socketUrl: string,
    private readonly mjpegUrl: string,
    private readonly stage: Stage,
  ) {}

  /** Until it is stopped. */
  async run(): Promise<void> {
    const { signal } = this.leaving;
    this.put(this.canvas);
    const over = () => signal.aborted;
    let failures = 0;
    while (!over()) {
      const opened = await this.follow(signal);
      if (over()) break;
      failures = opened ? 0 : failures + 1;
      if (failures === SOCKET_ATTEMPTS) {
        this.showPicture();
        return;
      }
      await pause(backoffMs(failures + 1), signal);
    }
  }

  stop(): void {
    this.leaving.abort();
    clearTimeout(this.still);
    this.stage.root.removeAttribute('data-silent');
    this.stage.videos.replaceChildren();
  }

  /** One connection, to its end; whether there was one. */
  private follow(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = new WebSocket(this.socketUrl);
      const leave = () => socket.close();
      let opened = false;
      signal.addEventListener('abort', leave);
      socket.binaryType = 'blob';
      socket.onopen = () => {
        opened = true;
      };
      socket.onmessage = ({ data }: MessageEvent<Blob>) => {
        this.newest = data;
        void this.draw();
      };
      socket.onclose = () => {
        signal.removeEventListener('abort', leave);
        resolve(opened);
      };
    });
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
    this.stage.show('live');
    clearTimeout(this.still);
    this.still = setTimeout(() => this.stage.show('waiting', notices.paused), STILL_MS);
  }

  private showPicture(): void {
    const image = el('img', { class: 'stage-frames', 'data-testid': 'stage-frames', alt: '' });
    image.onload = () => this.stage.show('live');
    image.src = this.mjpegUrl;
    this.put(image);
  }

  private put(element: HTMLElement): void {
    this.stage.root.setAttribute('data-silent', '');
    this.stage.videos.dataset.count = '1';
    this.stage.videos.style.setProperty('--columns', '1');
    this.stage.videos.style.setProperty('--rows', '1');
    this.stage.videos.replaceChildren(el('div', { class: 'stage-tile' }, element));
  }
}
