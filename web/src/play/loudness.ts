import { recall, remember } from '../shared/storage';

const KEY = 'stagedoor.volume';

/** Volume and mute for all sound of the page, and who wants to hear of changes. */
export class Loudness {
  private readonly elements = new Set<HTMLMediaElement>();
  private readonly listeners = new Set<() => void>();
  private level: number;

  constructor(private silent: boolean) {
    const stored = Number(recall(KEY) ?? 1);
    this.level = stored > 0 && stored <= 1 ? stored : 1;
  }

  get volume(): number {
    return this.level;
  }

  get muted(): boolean {
    return this.silent;
  }

  add(element: HTMLMediaElement): void {
    this.elements.add(element);
    this.apply(element);
  }

  remove(element: HTMLMediaElement): void {
    this.elements.delete(element);
  }

  setVolume(volume: number): void {
    this.silent = volume === 0;
    if (volume > 0) {
      this.level = Math.min(1, volume);
      remember(KEY, String(this.level));
    }
    this.changed();
  }

  setMuted(muted: boolean): void {
    this.silent = muted;
    this.changed();
  }

  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  private changed(): void {
    for (const element of this.elements) this.apply(element);
    for (const listener of this.listeners) listener();
  }

  private apply(element: HTMLMediaElement): void {
    element.muted = this.silent;
    element.volume = this.level;
  }
}
