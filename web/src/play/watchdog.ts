/** Reports silence: `onSilence` is called once when nothing has come for so long. */
export class Watchdog {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = Date.now();

  constructor(
    private readonly quietMs: number,
    private readonly onSilence: () => void,
  ) {
    this.reset();
  }

  /** Something came. */
  reset(): void {
    this.last = Date.now();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.stop();
      this.onSilence();
    }, this.quietMs);
  }

  /** A moment at which the connection may have been lost unnoticed, such as after sleep: less silence is enough. */
  check(quietMs: number): void {
    if (this.timer === undefined || Date.now() - this.last < quietMs) return;
    this.stop();
    this.onSilence();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
