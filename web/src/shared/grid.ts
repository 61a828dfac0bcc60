export interface Grid {
  readonly columns: number;
  readonly rows: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A tile in such a grid: as large as fits, but neither a ribbon nor a tower, which would cut faces off. */
export function tileSize(grid: Grid, box: Size, gap: number): Size {
  const width = (box.width - gap * (grid.columns - 1)) / grid.columns;
  const height = (box.height - gap * (grid.rows - 1)) / grid.rows;
  return {
    width: Math.max(0, Math.floor(Math.min(width, height * WIDEST))),
    height: Math.max(0, Math.floor(Math.min(height, width * TALLEST))),
  };
}

const WIDEST = 16 / 9;
const TALLEST = 4 / 3;

/** The grid that makes `count` tiles of this aspect ratio largest in a box. */
export function bestGrid(count: number, width: number, height: number, aspect = 16 / 9): Grid {
  let best: Grid = { columns: 1, rows: Math.max(1, count) };
  let largest = 0;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const tile = Math.min(width / columns, (height / rows) * aspect);
    // Of two equally good grids, the one shaped like the box.
    if (tile > largest + 0.01 || (tile > largest - 0.01 && width > height)) {
      largest = tile;
      best = { columns, rows };
    }
  }
  return best;
}
