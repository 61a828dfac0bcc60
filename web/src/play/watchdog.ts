/** Reports silence: `onSilence` is called once when nothing has come for as long as was last allowed. */
export class Watchdog {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = Date.now();

  constructor(
    private readonly onSilence: () => void,
    quietMs: number,
  ) {
    this.reset(quietMs);
  }

  /** Something came; the next thing may take so long. */
  reset(quietMs: number): void {
    this.last = Date.now();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.stop();
      this.onSilence();
    }, quietMs);
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
