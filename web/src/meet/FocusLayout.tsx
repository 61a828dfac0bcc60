import { Tile } from './Tile';
import type { TileItem } from './useTiles';

interface Props {
  readonly tiles: readonly TileItem[];
  readonly focus: string;
  readonly onFocus: (key: string) => void;
}

export function FocusLayout({ tiles, focus, onFocus }: Props) {
  const large = tiles.find((tile) => tile.key === focus);
  const others = tiles.filter((tile) => tile.key !== focus);
  return (
    <div className="focus">
      {large && <Tile key={large.key} item={large} large onFocus={onFocus} />}
      {others.length > 0 && (
        <div className="strip">
          {others.map((tile) => (
            <Tile key={tile.key} item={tile} large={false} onFocus={onFocus} />
          ))}
        </div>
      )}
    </div>
  );
}
