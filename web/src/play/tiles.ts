import type { RemoteTrack } from 'livekit-client';
import { bestGrid } from '../shared/grid';
import { el } from './dom';

export interface Shown {
  readonly sid: string;
  readonly name: string;
  readonly track: RemoteTrack;
}

interface Tile extends Shown {
  readonly box: HTMLElement;
  readonly video: HTMLVideoElement;
}

/** Keeps one video element for each track that is shown, and lays them out. */
export class Tiles {
  private readonly tiles = new Map<string, Tile>();

  constructor(
    private readonly root: HTMLElement,
    private readonly onFrame: () => void,
  ) {
    new ResizeObserver(() => this.layOut()).observe(root);
  }

  get moving(): boolean {
    return [...this.tiles.values()].some(
      (tile) => tile.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA,
    );
  }

  set(shown: readonly Shown[]): void {
    const wanted = new Map(shown.map((item) => [item.sid, item]));
    for (const tile of this.tiles.values()) {
      if (wanted.get(tile.sid)?.track !== tile.track) this.drop(tile);
    }
    for (const item of shown) {
      const tile = this.tiles.get(item.sid) ?? this.add(item);
      this.root.append(...(tile.box.parentElement ? [] : [tile.box]));
    }
    this.layOut();
  }

  private add(item: Shown): Tile {
    const video = el('video', { 'data-testid': 'stage-video', playsinline: '', autoplay: '' });
    video.muted = true;
    video.addEventListener('loadeddata', this.onFrame);
    video.addEventListener('resize', () => this.layOut());
    const box = el('div', { class: 'stage-tile' }, video, el('span', { class: 'stage-name' }, item.name));
    const tile = { ...item, video, box };
    this.tiles.set(item.sid, tile);
    this.root.append(box);
    item.track.attach(video);
    return tile;
  }

  private drop(tile: Tile): void {
    tile.track.detach(tile.video);
    tile.box.remove();
    this.tiles.delete(tile.sid);
  }

  private layOut(): void {
    const grid = bestGrid(this.tiles.size, this.root.clientWidth, this.root.clientHeight);
    this.root.style.setProperty('--columns', String(grid.columns));
    this.root.style.setProperty('--rows', String(grid.rows));
    this.root.dataset.count = String(this.tiles.size);
    const above = (grid.rows - 1) * grid.columns;
    [...this.root.children].forEach((box, place) => box.toggleAttribute('data-bottom', place >= above));
  }
}
