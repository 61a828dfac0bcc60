export interface Focusable {
  readonly key: string;
  readonly screen: boolean;
}

/** What the person asked for: nothing yet, the grid whatever is shared, or one tile. */
export type Wish =
  | { readonly kind: 'auto' }
  | { readonly kind: 'grid' }
  | { readonly kind: 'tile'; key: string };

/** The tile shown large, if any. A shared screen is large by itself; a wish for a tile that left is void. */
export function focusOf(wish: Wish, tiles: readonly Focusable[]): string | undefined {
  if (wish.kind === 'grid') return undefined;
  if (wish.kind === 'tile' && tiles.some((tile) => tile.key === wish.key)) return wish.key;
  return tiles.findLast((tile) => tile.screen)?.key;
}
