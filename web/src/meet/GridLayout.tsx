import { type CSSProperties, useRef, useState } from 'react';
import { bestGrid, tileSize } from '../shared/grid';
import { Icon } from '../shared/Icon';
import { pageOf } from './pages';
import { Tile } from './Tile';
import { useSize } from './useSize';
import type { TileItem } from './useTiles';

interface Props {
  readonly tiles: readonly TileItem[];
  readonly onFocus: (key: string) => void;
}

const SMALLEST = 190;
/** As in the style sheet. */
const GAP = 10;

export function GridLayout({ tiles, onFocus }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(box);
  const [wanted, setWanted] = useState(0);
  const portrait = height > width;
  const fitting = Math.floor((width / (portrait ? 150 : SMALLEST)) * Math.max(1, height / 130)) || 1;
  const page = pageOf(tiles, Math.min(25, Math.max(4, fitting)), wanted);
  const shown = page.items;
  // A tall window is filled better by tiles that are nearly square.
  const grid = bestGrid(shown.length, width, height, portrait ? 1 : 16 / 9);
  const tile = tileSize(grid, { width, height }, GAP);
  const style = { '--tile-width': `${tile.width}px`, '--tile-height': `${tile.height}px` } as CSSProperties;
  return (
    <>
      <div className="grid" ref={box} style={style} data-count={shown.length}>
        {shown.map((tile) => (
          <Tile key={tile.key} item={tile} large={false} onFocus={onFocus} />
        ))}
      </div>
      {page.count > 1 && (
        <nav className="pages" aria-label="Pages of people">
          <button
            type="button"
            aria-label="Previous page"
            disabled={page.index === 0}
            onClick={() => setWanted(page.index - 1)}
          >
            <Icon name="chevron" />
          </button>
          {page.index + 1} / {page.count}
          <button
            type="button"
            aria-label="Next page"
            disabled={page.index === page.count - 1}
            onClick={() => setWanted(page.index + 1)}
          >
            <Icon name="chevron" />
          </button>
        </nav>
      )}
    </>
  );
}
