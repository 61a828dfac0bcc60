import { expect, test } from 'vitest';
import { bestGrid, tileSize } from './grid';

test.each([
  [1, 1600, 900, { columns: 1, rows: 1 }],
  [2, 1600, 600, { columns: 2, rows: 1 }],
  [2, 390, 844, { columns: 1, rows: 2 }],
  [4, 1600, 900, { columns: 2, rows: 2 }],
  [5, 1600, 900, { columns: 3, rows: 2 }],
  [9, 1600, 900, { columns: 3, rows: 3 }],
])('%i tiles in %i by %i', (count, width, height, grid) => {
  expect(bestGrid(count, width, height)).toEqual(grid);
});

test('no tiles and no room are no accident', () => {
  expect(bestGrid(0, 0, 0)).toEqual({ columns: 1, rows: 1 });
});

test('a tile fills its place, within a face-friendly shape', () => {
  expect(tileSize({ columns: 2, rows: 1 }, { width: 1010, height: 300 }, 10)).toEqual({
    width: 500,
    height: 300,
  });
  expect(tileSize({ columns: 1, rows: 1 }, { width: 1000, height: 180 }, 10)).toEqual({
    width: 320,
    height: 180,
  });
  expect(tileSize({ columns: 1, rows: 1 }, { width: 300, height: 900 }, 10)).toEqual({
    width: 300,
    height: 400,
  });
  expect(tileSize({ columns: 1, rows: 1 }, { width: 0, height: 0 }, 10)).toEqual({ width: 0, height: 0 });
});
