export interface Page<T> {
  readonly items: readonly T[];
  /** From 0; moved back when people left and the page is no more. */
  readonly index: number;
  readonly count: number;
}

export function pageOf<T>(items: readonly T[], size: number, wanted: number): Page<T> {
  const count = Math.max(1, Math.ceil(items.length / size));
  const index = Math.min(Math.max(0, wanted), count - 1);
  return { items: items.slice(index * size, (index + 1) * size), index, count };
}
